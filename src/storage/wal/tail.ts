/**
 * Where the log stops making sense: was a write torn by a crash, or is acknowledged data damaged?
 *
 * What a crash can do. An append is one write into space that reads as zeros, then one fdatasync, and it is
 * acknowledged only after that. A crash in between leaves any subset of the write's sectors (512 bytes, which a
 * disk writes whole or not at all) on the disk, in any order: the first record may be gone and the last be there.
 * A sector that did not arrive still holds what it held: zeros, or, where the write began inside a sector that
 * was already in use, the older records and zeros after them. Writes without a sync (a commit index alone) may
 * precede it and be lost in the same way. Everything before the last fdatasync is there.
 *
 * So what does not make sense is accepted as torn, and cut away, only if all of this holds:
 * 1. It is in the last segment. A segment gets its name after it and all before it were synced.
 * 2. No sync marker follows. Each write of ours that found everything before it durable begins with a Crc record;
 *    one behind the bad place proves that the bad place was synced, hence maybe acknowledged. And no record lies
 *    under the bad one: a length that reaches over others was never written there, it came with a sector that the
 *    disk put in the wrong place. (A client's value that is a copy of a log looks the same, and then a start is
 *    refused that need not be: the safe side.)
 * 3. A sector that never arrived explains it:
 *    - the length reads as zero, and so does the rest of its sector; or
 *    - the length is good, what can be read of the record agrees with it, and a whole sector under the record,
 *      other than the one with the length, is zero; or
 *    - the file ends inside the record: its size was not durable (etcd's own segments may grow past their
 *      preallocated size, and its repair cuts them short).
 * Everything else (a flipped bit in a length, a type, a checksum, data) is damage and stops the start, in the
 * last record as well: it may have been acknowledged.
 *
 * What this can not see: an acknowledged last write one of whose sectors the disk later loses or reads as zeros,
 * or whose bits flip while its data itself holds a whole aligned sector of zeros. It looks like a torn one. With
 * the next append its marker settles the matter.
 */
import {
  type FrameRead,
  frameHeaderBytes,
  isZero,
  readFrame,
  recordPrefixBytesMax,
  usedEnd,
} from "./record.js";

/** What a disk writes whole or not at all. Larger ones are multiples of it. */
export const sectorBytes = 512;

/** How reading stopped: a frame that is none, or a whole one whose checksum does not match. */
export type BadPlace =
  | Exclude<FrameRead, { kind: "frame" }>
  | { readonly kind: "checksum"; readonly end: number };

/**
 * Judges the place `at` in the last segment where reading stopped. Undefined: a torn write, which nobody was
 * told of, may be cut away from there. A string: the reason why it is damage.
 */
export function judgeTail(bytes: Uint8Array, at: number, bad: BadPlace): string | undefined {
  switch (bad.kind) {
    case "zero": {
      const sectorEnd = Math.min(endOfSector(at), bytes.length);
      if (usedEnd(bytes, at) === at) return undefined;
      if (!isZero(bytes, at, sectorEnd)) return "the length of the record is zero and data follows";
      return markerAfter(bytes, sectorEnd);
    }
    case "short":
      return recordInside(bytes, at, bytes.length);
    case "impossible":
      return bad.reason;
    case "garbled":
      if (!lostSector(bytes, at, Math.min(bad.end, at + frameHeaderBytes + recordPrefixBytesMax)))
        return bad.reason;
      return recordInside(bytes, at, bad.end) ?? markerAfter(bytes, bad.end);
    case "checksum":
      if (!lostSector(bytes, at, bad.end)) return "the checksum does not match";
      return recordInside(bytes, at, bad.end) ?? markerAfter(bytes, bad.end);
  }
}

function endOfSector(at: number): number {
  return at - (at % sectorBytes) + sectorBytes;
}

/** True where a sector that begins after `at` and before `end` is all zero. */
function lostSector(bytes: Uint8Array, at: number, end: number): boolean {
  for (let start = endOfSector(at); start < end; start += sectorBytes) {
    if (isZero(bytes, start, Math.min(start + sectorBytes, bytes.length))) return true;
  }
  return false;
}

/** The reason why a bad place before `start` is damage: a sync marker at or after `start`. */
function markerAfter(bytes: Uint8Array, start: number): string | undefined {
  const end = usedEnd(bytes, start);
  for (let at = Math.ceil(start / 8) * 8; at < end; at += 8) if (isMarker(bytes, at)) return begunAfter(at);
  return undefined;
}

/** The reason why the bad place `from` is damage: a record lies under what claims to be one up to `to`. */
function recordInside(bytes: Uint8Array, from: number, to: number): string | undefined {
  const end = Math.min(to, usedEnd(bytes, from));
  for (let at = from + frameHeaderBytes; at < end; at += 8) {
    if (readFrame(bytes, at).kind === "frame") return `a whole record lies under it, at byte ${at}`;
  }
  return undefined;
}

/** True where the bytes at `at` are those of a Crc record as we write it. */
function isMarker(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 8 || bytes[at + 8] !== 0x08 || bytes[at + 9] !== 4 || bytes[at + 10] !== 0x10)
    return false;
  return isZero(bytes, at + 1, at + frameHeaderBytes);
}

function begunAfter(at: number): string {
  return `the record is not whole, and the write at byte ${at} began after it was durable`;
}
