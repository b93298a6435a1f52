/**
 * Consecutive revisions on their way into blocks, in columns of numbers. A flush of small pairs is of thousands: with
 * an object each for the record and for its value, V8 would copy every one of them twice while they wait, and collect
 * the old generation for nothing else.
 *
 * Values stay where they are; those that lie in the same memory one after the other are copied as one.
 *
 * Example: values "abc" and "de" at 8 to 11 and 11 to 13 of the memory m, and "f" at 0 to 1 of the memory n, make the
 * starts 8, 11, 0, the ends 11, 13, 1, and the pieces { first 0, m } and { first 2, n }.
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import { copyPooledBytes } from "../../base/bytes.js";
import { pieceAt } from "../../base/pieces.js";
import type { RevisionRecord } from "../../mvcc/contract.js";

/** A sub revision takes 31 bits. */
export const subMax = 2 ** 31 - 1;
/** Beside it in a block's directory. */
export const tombstoneBit = 0x8000_0000;
const capacityMin = 1_024;
/** Columns above this size (1.3 MB) are given back when they are mostly empty. */
const capacityKept = 65_536;

/** Memory in which the values from the position `first` on lie. */
interface Piece {
  first: number;
  readonly bytes: Uint8Array;
}

export class RevisionColumns {
  private mains = new Float64Array(capacityMin);
  /** sub | tombstone << 31, as in the directory of a block. */
  private subs = new Uint32Array(capacityMin);
  private starts = new Uint32Array(capacityMin);
  private ends = new Uint32Array(capacityMin);
  private pieces: Piece[] = [];
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** The value lies in `bytes` from `start` to before `end`, and is not copied. */
  append(
    main: Revision,
    sub: number,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    assert(sub >= 0 && sub <= subMax && Number.isSafeInteger(main), "a revision is two counts");
    if (this.pieces.at(-1)?.bytes !== bytes) this.pieces.push({ first: this.count, bytes });
    if (this.count === this.mains.length) this.resize(2 * this.count);
    const at = this.count++;
    this.mains[at] = main;
    this.subs[at] = tombstone ? sub + tombstoneBit : sub;
    this.starts[at] = start;
    this.ends[at] = end;
  }

  appendAll(records: readonly RevisionRecord[]): void {
    for (const { main, sub, tombstone, keyValue } of records)
      this.append(main, sub, tombstone, keyValue, 0, keyValue.length);
  }

  /** Appends the first `count` of `source`. */
  appendFirst(source: RevisionColumns, count: number): void {
    assert(count <= source.count, "only revisions that are there are appended");
    const before = this.count;
    if (before + count > this.mains.length) this.resize(before + count);
    this.mains.set(source.mains.subarray(0, count), before);
    this.subs.set(source.subs.subarray(0, count), before);
    this.starts.set(source.starts.subarray(0, count), before);
    this.ends.set(source.ends.subarray(0, count), before);
    for (const piece of source.pieces) {
      if (piece.first < count) this.pieces.push({ ...piece, first: before + piece.first });
    }
    this.count = before + count;
  }

  mainAt(position: number): Revision {
    return this.mains[position]!;
  }

  subAt(position: number): number {
    return this.subs[position]! & subMax;
  }

  /** The sub revision, and whether it is a tombstone, as the directory of a block has it. */
  directorySubAt(position: number): number {
    return this.subs[position]!;
  }

  valueBytesAt(position: number): number {
    return this.ends[position]! - this.starts[position]!;
  }

  /** A copy, as the memory in which it lies may be used again. */
  valueAt(position: number): Uint8Array {
    const { bytes } = this.pieces[pieceAt(this.pieces, position)]!;
    return copyPooledBytes(bytes.subarray(this.starts[position]!, this.ends[position]!));
  }

  recordAt(position: number): RevisionRecord {
    return {
      main: this.mainAt(position),
      sub: this.subAt(position),
      tombstone: this.subs[position]! >= tombstoneBit,
      keyValue: this.valueAt(position),
    };
  }

  /** Position of a revision, or -1. */
  find(main: Revision, sub: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.mains[middle]! - main || this.subAt(middle) - sub;
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Position of the first revision whose main is at least `main`; `length` when there is none. */
  firstFrom(main: Revision): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.mains[middle]! < main) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Copies the values from the position `from` up to, without, `to` to `target`, one after the other from `offset` on. */
  copyValues(from: number, to: number, target: Uint8Array, offset: number): void {
    const { starts, ends, pieces } = this;
    let piece = pieceAt(pieces, from);
    let written = offset;
    for (let at = from; at < to; ) {
      const start = starts[at]!;
      const pieceEnd = Math.min(pieces[piece + 1]?.first ?? this.count, to);
      let last = at;
      while (last + 1 < pieceEnd && starts[last + 1] === ends[last]) last++;
      const end = ends[last]!;
      target.set(pieces[piece]!.bytes.subarray(start, end), written);
      written += end - start;
      at = last + 1;
      if (at === pieceEnd) piece++;
    }
  }

  /** Drops the `count` oldest. Answers the memory in which no value is left. */
  dropFirst(count: number): readonly Uint8Array[] {
    assert(count <= this.count, "only revisions that are there are dropped");
    for (const column of [this.mains, this.subs, this.starts, this.ends])
      column.copyWithin(0, count, this.count);
    this.count -= count;
    let gone = 0;
    while (gone < this.pieces.length && (this.pieces[gone + 1]?.first ?? count + this.count) <= count) gone++;
    const dropped = this.pieces.splice(0, gone);
    for (const piece of this.pieces) piece.first = Math.max(piece.first - count, 0);
    if (this.mains.length > capacityKept && this.count < capacityKept / 4) this.resize(capacityKept);
    return dropped.map(({ bytes }) => bytes);
  }

  private resize(capacity: number): void {
    const { count } = this;
    const moved = <Column extends Float64Array | Uint32Array>(from: Column, to: Column): Column => {
      to.set(from.subarray(0, count));
      return to;
    };
    this.mains = moved(this.mains, new Float64Array(capacity));
    this.subs = moved(this.subs, new Uint32Array(capacity));
    this.starts = moved(this.starts, new Uint32Array(capacity));
    this.ends = moved(this.ends, new Uint32Array(capacity));
  }
}

export function columnsOf(records: readonly RevisionRecord[]): RevisionColumns {
  const columns = new RevisionColumns();
  columns.appendAll(records);
  return columns;
}
