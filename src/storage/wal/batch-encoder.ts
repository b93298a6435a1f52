/**
 * Builds what one write puts into the log: frames in a row, in memory that is used again for the next write, with
 * the checksum chained through them. Every data byte is copied once, into this memory.
 */
import { crc32c } from "../../base/crc32c.js";
import { limits } from "../../base/limits.js";
import { ProtoWriter, varintSize } from "../../base/protowire.js";
import type { LogMark } from "../../ports/raft-log.js";
import { encodeHardState, entrySizeBytes, writeEntry } from "../../raft/codec.js";
import type { Entry, HardState } from "../../raft/types.js";
import { encodeMark } from "./mark-codec.js";
import { crcVarintBytes, frameHeaderBytes, RecordType } from "./record.js";

/** Length, tag and type, tag and crc: what every frame begins with. */
const headBytes = frameHeaderBytes + 3 + crcVarintBytes;
/** Head, tag and length of the data, padding: an upper bound of what a frame adds to its data. */
export const frameOverheadBytesMax = headBytes + 6 + 7;

const initialBytes = 64 * 1024;
const zeros = new Uint8Array(limits.walFillBytes);

export class BatchEncoder {
  private writer = new ProtoWriter(initialBytes);
  private readonly head = new Uint8Array(headBytes);

  /** `chain`: the checksum over all data in the log so far. */
  constructor(private chain: number) {}

  /** The checksum over all data up to the last record. */
  get crc(): number {
    return this.chain;
  }

  get lengthBytes(): number {
    return this.writer.length;
  }

  /** Forgets the last batch; its bytes must not be used any more. */
  start(): void {
    if (this.writer.length > limits.walBufferKeptBytesMax) this.writer = new ProtoWriter(initialBytes);
    this.writer.reset();
  }

  /** What was built since `start`; valid until the next `start`. */
  bytes(): Uint8Array {
    return this.writer.finish();
  }

  entry(entry: Entry): void {
    const start = this.open(RecordType.Entry, entrySizeBytes(entry));
    const dataStart = this.writer.length;
    writeEntry(this.writer, entry);
    this.seal(start, dataStart);
  }

  hardState(state: HardState): void {
    this.record(RecordType.State, encodeHardState(state));
  }

  mark(mark: LogMark): void {
    this.record(RecordType.Mark, encodeMark(mark));
  }

  metadata(metadata: Uint8Array): void {
    this.record(RecordType.Metadata, metadata);
  }

  /** Repeats the checksum so far: begins a segment, and marks that everything before is durable. */
  chainRecord(): void {
    const start = this.open(RecordType.Crc, undefined);
    this.seal(start, this.writer.length);
  }

  /** Zeros after the records, so that the file system has placed the space before the next writes need it. */
  fill(countBytes: number): void {
    for (let rest = countBytes; rest > 0; rest -= zeros.length) {
      this.writer.raw(rest >= zeros.length ? zeros : zeros.subarray(0, rest));
    }
  }

  private record(type: RecordType, data: Uint8Array): void {
    const start = this.open(type, data.length);
    const dataStart = this.writer.length;
    this.writer.raw(data);
    this.seal(start, dataStart);
  }

  /** Writes all of a frame that stands before its data, with the checksum left open. Returns where it begins. */
  private open(type: RecordType, dataBytes: number | undefined): number {
    const { writer, head } = this;
    const start = writer.length;
    const tailBytes = dataBytes === undefined ? 0 : 1 + varintSize(dataBytes) + dataBytes;
    const recordBytes = 3 + crcVarintBytes + tailBytes;
    const padBytes = (8 - (recordBytes % 8)) % 8;
    head[0] = recordBytes & 0xff;
    head[1] = (recordBytes >>> 8) & 0xff;
    head[2] = (recordBytes >>> 16) & 0xff;
    head[3] = recordBytes >>> 24;
    head[7] = padBytes === 0 ? 0 : 0x80 | padBytes;
    head[8] = 0x08;
    head[9] = type;
    head[10] = 0x10;
    writer.raw(head);
    if (dataBytes !== undefined) writer.varint(0x1a).varint(dataBytes);
    return start;
  }

  private seal(start: number, dataStart: number): void {
    const { writer } = this;
    const dataEnd = writer.length;
    const padBytes = (8 - ((dataEnd - start) % 8)) % 8;
    for (let pad = 0; pad < padBytes; pad++) writer.varint(0);
    const bytes = writer.memory;
    const crc = crc32c(bytes, this.chain, dataStart, dataEnd);
    this.chain = crc;
    // Of fixed width, with continuation bits where a shorter form would do: every protobuf reader takes it.
    const at = start + headBytes - crcVarintBytes;
    bytes[at] = (crc & 0x7f) | 0x80;
    bytes[at + 1] = ((crc >>> 7) & 0x7f) | 0x80;
    bytes[at + 2] = ((crc >>> 14) & 0x7f) | 0x80;
    bytes[at + 3] = ((crc >>> 21) & 0x7f) | 0x80;
    bytes[at + 4] = crc >>> 28;
  }
}
