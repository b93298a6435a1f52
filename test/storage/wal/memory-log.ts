/** A log in memory: what LogWriter plans, kept as segments of bytes, for tests of crashes and damage. */
import type { LogAppend } from "../../../src/ports/raft-log.js";
import type { Entry } from "../../../src/raft/types.js";
import { EntryType } from "../../../src/raft/types.js";
import { LogWriter } from "../../../src/storage/wal/log-writer.js";
import { LogReplay } from "../../../src/storage/wal/replay.js";
import { type SegmentRef, segmentRef } from "../../../src/storage/wal/segment-name.js";

export const metadata = Uint8Array.of(8, 1, 16, 2);

export interface MemorySegment {
  readonly ref: SegmentRef;
  bytes: Uint8Array;
  /** Where the records end. */
  used: number;
}

export class MemoryLog {
  readonly segments: MemorySegment[] = [];
  private readonly writer: LogWriter;

  constructor(private readonly segmentBytes: number) {
    const ref = segmentRef(0, 0);
    const { bytes, chain } = LogWriter.firstWrite(metadata);
    const image = new Uint8Array(segmentBytes);
    image.set(bytes);
    this.segments.push({ ref, bytes: image, used: bytes.length });
    this.writer = new LogWriter({
      metadata,
      segmentBytes,
      segments: [ref],
      marks: new Map([[ref.name, 0]]),
      offsetBytes: bytes.length,
      filledBytes: segmentBytes,
      chain,
      hardState: { term: 0, vote: 0n, commit: 0 },
      lastIndex: 0,
    });
  }

  get last(): MemorySegment {
    return this.segments.at(-1)!;
  }

  append(appends: readonly LogAppend[], options: { readonly sync: boolean }): void {
    const planned = this.writer.plan(appends);
    if (planned === undefined) return;
    if (planned.opens !== undefined) {
      this.segments.push({ ref: planned.opens, bytes: new Uint8Array(this.segmentBytes), used: 0 });
    }
    const segment = this.last;
    const records = planned.bytes.subarray(0, this.segmentBytes - planned.offsetBytes);
    segment.bytes.set(records, planned.offsetBytes);
    segment.used = lastUsed(segment.bytes);
    if (options.sync || planned.opens !== undefined) this.writer.markSynced();
  }
}

function lastUsed(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Math.ceil(end / 8) * 8;
}

export interface Image {
  readonly ref: SegmentRef;
  readonly bytes: Uint8Array;
}

export function replay(images: readonly Image[], fromMark = 0) {
  const reader = new LogReplay(fromMark);
  images.forEach(({ ref, bytes }, at) => {
    reader.read({ ref, bytes, isLast: at === images.length - 1 });
  });
  return reader.finish();
}

export function entry(term: number, index: number, data: Uint8Array | string = `value ${index}`): Entry {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return { term, index, type: EntryType.Normal, data: bytes };
}

/** What two logs must agree in to be the same; data as plain arrays, so that a difference can be read. */
export function contents(log: { readonly entries: readonly Entry[] }) {
  return log.entries.map(({ term, index, type, data }) => ({
    term,
    index,
    type,
    data: Buffer.from(data).toString("latin1"),
  }));
}
