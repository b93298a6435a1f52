/**
 * A block: consecutive revisions in one record. Numbers are little endian.
 *
 *   header     0 crc32c of everything after it   4 format version   8 count of records
 *             12 sub of the first revision      16 main of the first revision (low, high)
 *   directory  per record: main − first main, sub | tombstone << 31, end of its value in the value area
 *   values     one after the other
 *
 * The directory has a fixed width so that a revision is found in it by binary search, without decoding it.
 * Example: puts at 7.0 (5 bytes) and 7.1 (3 bytes), a tombstone at 9.0 (2 bytes) make the header {count 3,
 * first 7.0}, the directory (0,0,5) (0,1,8) (2,2^31,10), and ten bytes of values: 24 + 36 + 10 = 70 bytes.
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import { allocateBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import type { RevisionRecord, RevisionSlice } from "../../mvcc/contract.js";
import type { BlockKey } from "./keys.js";
import { type RevisionColumns, subMax, tombstoneBit } from "./revision-columns.js";

export const blockHeaderBytes = 24;
export const directoryEntryBytes = 12;
/** Records of one block lie at most this far apart in main revision. */
export const mainDistanceMax = 2 ** 32 - 1;
const formatVersion = 1;

export class Block implements BlockKey, RevisionSlice {
  readonly main: Revision;
  readonly sub: number;
  readonly count: number;
  readonly checksum: number;
  private readonly view: DataView;
  private readonly recordsPerRevision: number;
  readonly bytes: Uint8Array;

  /** `bytes` were made by `encodeBlock` or passed `decodeBlock`. */
  constructor(bytes: Uint8Array) {
    // Not Node's Buffer, of which a part is made at twice the cost: a page is made of a thousand.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.checksum = this.view.getUint32(0, true);
    this.count = this.view.getUint32(8, true);
    this.sub = this.view.getUint32(12, true);
    this.main = this.view.getUint32(20, true) * 2 ** 32 + this.view.getUint32(16, true);
    this.recordsPerRevision = this.count / (this.distanceAt(this.count - 1) + 1);
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  /**
   * Position of a revision, or -1. Revisions lie about evenly in a block, and evenly they do where each is a put of its
   * own: so the search begins where it would lie then, and goes from there in growing steps. Cold memory is what a
   * search costs; it looks at one entry in most cases, where bisection looks at eight.
   */
  find(main: Revision, sub: number): number {
    const distance = main - this.main;
    if (distance < 0) return -1;
    let low = 0;
    let high = this.count - 1;
    let at = Math.min(Math.floor(distance * this.recordsPerRevision) + sub, high);
    for (let step = 1; low <= high; step *= 2) {
      const order = this.distanceAt(at) - distance || this.subAt(at) - sub;
      if (order === 0) return at;
      if (order < 0) {
        low = at + 1;
        at = Math.min(at + step, (low + high) >>> 1);
      } else {
        high = at - 1;
        at = Math.max(at - step, (low + high) >>> 1);
      }
    }
    return -1;
  }

  /** Position of the first revision whose main is at least `main`; `count` when there is none. */
  firstFrom(main: Revision): number {
    const distance = main - this.main;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.distanceAt(middle) < distance) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The value at a position; shares the block's memory. */
  valueAt(position: number): Uint8Array {
    return this.bytes.subarray(this.valueStart(position), this.valueStart(position + 1));
  }

  /** Where the value at a position begins in `bytes`; at `count`, where the last one ends. */
  valueStart(position: number): number {
    const values = blockHeaderBytes + this.count * directoryEntryBytes;
    return position === 0 ? values : values + this.endAt(position - 1);
  }

  mainAt(position: number): Revision {
    return this.main + this.distanceAt(position);
  }

  subAt(position: number): number {
    return this.view.getUint32(this.entryAt(position) + 4, true) & subMax;
  }

  isTombstone(position: number): boolean {
    return (this.view.getUint32(this.entryAt(position) + 4, true) & tombstoneBit) !== 0;
  }

  recordAt(position: number): RevisionRecord {
    return {
      main: this.mainAt(position),
      sub: this.subAt(position),
      tombstone: this.isTombstone(position),
      keyValue: this.valueAt(position),
    };
  }

  /** All records; their values share the block's memory. */
  records(): RevisionRecord[] {
    const records: RevisionRecord[] = [];
    for (let position = 0; position < this.count; position++) records.push(this.recordAt(position));
    return records;
  }

  private entryAt(position: number): number {
    return blockHeaderBytes + position * directoryEntryBytes;
  }

  private distanceAt(position: number): number {
    return this.view.getUint32(this.entryAt(position), true);
  }

  private endAt(position: number): number {
    return this.view.getUint32(this.entryAt(position) + 8, true);
  }
}

/** A block of the revisions from position `from` up to, without, `to`, in fresh memory. */
export function encodeBlock(revisions: RevisionColumns, from: number, to: number): Block {
  assert(from < to, "a block holds at least one record");
  const firstMain = revisions.mainAt(from);
  const values = blockHeaderBytes + (to - from) * directoryEntryBytes;
  let size = values;
  for (let at = from; at < to; at++) size += revisions.valueBytesAt(at);
  const bytes = allocateBytes(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, formatVersion, true);
  view.setUint32(8, to - from, true);
  view.setUint32(12, revisions.subAt(from), true);
  view.setUint32(16, firstMain >>> 0, true);
  view.setUint32(20, Math.floor(firstMain / 2 ** 32), true);
  let entry = blockHeaderBytes;
  let end = 0;
  for (let at = from; at < to; at++) {
    end += revisions.valueBytesAt(at);
    view.setUint32(entry, revisions.mainAt(at) - firstMain, true);
    view.setUint32(entry + 4, revisions.directorySubAt(at), true);
    view.setUint32(entry + 8, end, true);
    entry += directoryEntryBytes;
  }
  revisions.copyValues(from, to, bytes, values);
  view.setUint32(0, crc32c(bytes, 0, 4), true);
  return new Block(bytes);
}

/** The block that `key` names, or why `bytes` is not it. */
export function decodeBlock(bytes: Uint8Array, key: BlockKey): Block | string {
  if (bytes.length !== key.sizeBytes) return `has ${bytes.length} bytes in place of ${key.sizeBytes}`;
  if (bytes.length < blockHeaderBytes) return "is shorter than its header";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const checksum = view.getUint32(0, true);
  if (checksum !== key.checksum) return "is another one than its key names";
  if (crc32c(bytes, 0, 4) !== checksum) return "fails its checksum";
  const version = view.getUint32(4, true);
  if (version !== formatVersion) return `has format ${version}, which this version does not know`;
  const block = new Block(bytes);
  if (block.main !== key.main || block.sub !== key.sub)
    return "starts at another revision than its key names";
  return block;
}
