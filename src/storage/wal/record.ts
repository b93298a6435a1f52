/**
 * The frame and the record of etcd's log file, as bytes in memory: no I/O here.
 *
 * A frame starts at a multiple of 8: an int64, little-endian, whose low 56 bits are the length of the record. A
 * record whose length is not a multiple of 8 is followed by zeros up to the next one, and the top byte of the
 * length is then 0x80 | their number. So a length never crosses a disk sector: after a crash it is there or it
 * is all zero. A zero length ends the log of a file.
 *
 * The record is walpb.Record {type = 1, crc = 2, data = 3} in protobuf (proto2), always in this order. `crc` is
 * the CRC32C over the data of all records so far, this one included, from the first segment on. A record of type
 * Crc has no data and repeats the chain so far: it begins every segment and, written by us, every write that
 * found all bytes before it durable (see tail.ts for what that is good for; etcd's readers accept it anywhere).
 *
 * Worked example, a Crc record over the chain 0: `08 00 00 00 00 00 00 00 | 08 04 10 80 80 80 80 00`, length 8,
 * no padding, type 4, crc 0 as a varint of fixed width.
 */
import { equalBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";

export const RecordType = { Metadata: 1, Entry: 2, State: 3, Crc: 4, Mark: 5 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Bytes of the length in front of a record. */
export const frameHeaderBytes = 8;
/** Tag and type, tag and crc (at most 5 bytes), tag and length of the data (at most 5 bytes). */
export const recordPrefixBytesMax = 14;
/** The crc is written as a varint of this width always, so that it can be filled in after the data. */
export const crcVarintBytes = 5;

const zeroBlock = new Uint8Array(16 * 1024);

/** What stands at a place where a frame may begin. The checksum is not looked at yet. */
export type FrameRead =
  /** A frame whose parts agree with each other. */
  | {
      readonly kind: "frame";
      readonly type: number;
      readonly crc: number;
      readonly dataStart: number;
      readonly dataEnd: number;
      readonly end: number;
    }
  /** A length of zero: the end of the log, or a sector that never reached the disk. */
  | { readonly kind: "zero" }
  /** The file ends inside the frame. */
  | { readonly kind: "short" }
  /** The length itself is not one that is ever written. */
  | { readonly kind: "impossible"; readonly reason: string }
  /** The length is possible, what follows it does not agree with it. */
  | { readonly kind: "garbled"; readonly end: number; readonly reason: string };

/** Reads the frame that begins at `at`, a multiple of 8. Looks at nothing beyond the frame. */
export function readFrame(bytes: Uint8Array, at: number): FrameRead {
  if (at + frameHeaderBytes > bytes.length) return at === bytes.length ? { kind: "zero" } : { kind: "short" };
  const low = readUint32(bytes, at);
  const high = readUint32(bytes, at + 4);
  if (low === 0 && high === 0) return { kind: "zero" };
  const top = high >>> 24;
  const padBytes = (8 - (low % 8)) % 8;
  if ((high & 0xff_ffff) !== 0 || low === 0 || top !== (padBytes === 0 ? 0 : 0x80 | padBytes)) {
    return { kind: "impossible", reason: "the length of the record is not possible" };
  }
  const start = at + frameHeaderBytes;
  return readRecord(bytes, start, start + low, start + low + padBytes);
}

function readRecord(bytes: Uint8Array, start: number, recordEnd: number, end: number): FrameRead {
  const garbled = (reason: string): FrameRead =>
    end > bytes.length ? { kind: "impossible", reason } : { kind: "garbled", end, reason };
  const limit = Math.min(recordEnd, bytes.length);
  const short: FrameRead = { kind: "short" };
  const prefixIsCut = limit < recordEnd && limit - start < recordPrefixBytesMax;
  if (prefixIsCut) return short;
  if (recordEnd - start < 4 || bytes[start] !== 0x08 || bytes[start + 2] !== 0x10) {
    return garbled("the record does not begin as one");
  }
  const type = bytes[start + 1]!;
  const crcEnd = varintEnd(bytes, start + 3, limit);
  const crc = varint(bytes, start + 3, crcEnd);
  if (crc > 0xffff_ffff) return garbled("the checksum of the record is not a number");
  let dataStart = crcEnd;
  if (dataStart < recordEnd) {
    if (bytes[dataStart] !== 0x1a) return garbled("the record has an unknown part");
    const lengthEnd = varintEnd(bytes, dataStart + 1, limit);
    if (lengthEnd + varint(bytes, dataStart + 1, lengthEnd) !== recordEnd) {
      return garbled("the length of the record and that of its data disagree");
    }
    dataStart = lengthEnd;
  }
  if (end > bytes.length) return short;
  for (let pad = recordEnd; pad < end; pad++) if (bytes[pad] !== 0) return garbled("the padding is not zero");
  return { kind: "frame", type, crc, dataStart, dataEnd: recordEnd, end };
}

/** The checksum that the frame should carry, when `chain` is that of everything before it. */
export function frameChecksum(
  bytes: Uint8Array,
  frame: FrameRead & { kind: "frame" },
  chain: number,
): number {
  return crc32c(bytes, chain, frame.dataStart, frame.dataEnd);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Where the varint of at most five bytes at `start` ends; `start` where it does not end before `limit`. */
function varintEnd(bytes: Uint8Array, start: number, limit: number): number {
  for (let at = start; at < limit && at < start + 5; at++) if (bytes[at]! < 0x80) return at + 1;
  return start;
}

/** The varint from `start` to `end`; infinite where there is none. Leading zero groups are accepted, as protobuf does. */
function varint(bytes: Uint8Array, start: number, end: number): number {
  if (end === start) return Number.POSITIVE_INFINITY;
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = value * 128 + (bytes[at]! & 0x7f);
  return value;
}

/** Position after the last byte that is not zero, from `start` on; `start` where there is none. */
export function usedEnd(bytes: Uint8Array, start = 0): number {
  let end = bytes.length;
  // A young segment is 64 MiB of zeros: compared by blocks, at the speed of memory.
  while (
    end - zeroBlock.length >= start &&
    equalBytes(bytes.subarray(end - zeroBlock.length, end), zeroBlock)
  ) {
    end -= zeroBlock.length;
  }
  while (end > start && bytes[end - 1] === 0) end--;
  return end;
}

/** True where all bytes from `start` to `end` are zero. */
export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
