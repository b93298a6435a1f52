/**
 * A leaf of the key tree: up to `leafKeysMax` keys in byte order, with their revisions.
 *
 * A million keys must not be a million objects for the garbage collector to trace. So the newest revision of
 * every key of a leaf lies in one flat array of numbers, four to a key (a *cell*), and only a key that was
 * written more than once since the last compaction has an array of its own for the older ones, in the same four
 * numbers each, oldest first.
 *
 * Worked example: put k at 4.0, put k at 6.1, delete k at 7.0, put k at 9.0. The cell of k is
 *   main 9, sub 0, create 9, version 1
 * and its older revisions are
 *   4,0,4,1 | 6,1,4,2 | 7,0,0,0
 * A version of 0 says tombstone: it ends a generation, and the next put begins one with version 1 again. At
 * revision 6 or 6.x the key has version 2; at 7 and 8 it does not exist; at 9 it has version 1. After a
 * compaction at 6 what is left is 6,1,4,2 | 7,0,0,0 and the cell; at 7 the tombstone and the cell (it stays as
 * long as 7 is the compacted revision); at 8 the cell alone.
 */
import type { Revision } from "../base/brand.js";

/** Enough that inner nodes are few, few enough that an insert moves little. */
export const leafKeysMax = 64;

/** Numbers of a cell: main, sub, create, version. */
export const cellSize = 4;

/**
 * The cells of this many leaves lie in one piece of memory, of 64 KiB: 2 KiB that live long, allocated each by itself
 * between what lives shortly, keep the memory of that from the system (10 MB with 200,000 keys).
 */
const leavesPerPiece = 32;
let piece = new Float64Array(0);
let pieceUsed = 0;

function allocateCells(): Float64Array {
  if (pieceUsed === piece.length) {
    piece = new Float64Array(leavesPerPiece * leafKeysMax * cellSize);
    pieceUsed = 0;
  }
  const start = pieceUsed;
  pieceUsed += leafKeysMax * cellSize;
  return piece.subarray(start, pieceUsed);
}

/** One revision of a key. */
export interface KeyRevision {
  readonly main: Revision;
  readonly sub: number;
  /** Revision that began its generation; 0 of a tombstone. */
  readonly create: Revision;
  /** 1 for the first of its generation; 0 for a tombstone. */
  readonly version: number;
}

export class KeyLeaf {
  /** Ascending in slots 0 to size − 1; the rest is unused. */
  readonly keys: string[] = new Array<string>(leafKeysMax);
  readonly cells = allocateCells();
  /** By slot; the whole array is absent while no key of the leaf has older revisions. */
  older: (number[] | undefined)[] | undefined;
  size = 0;
  /** Among the leaves of its tree (see KeyHints). */
  number = 0;
  /** Keys whose newest revision is not a tombstone. */
  live = 0;
  /** Main of the newest revision that made or ended a key here (or later): at or above it, `live` is exact. */
  changedMain: Revision = 0;
  previous: KeyLeaf | undefined;
  next: KeyLeaf | undefined;

  /** The first slot with a key ≥ `key`; `size` where there is none. */
  lowerBound(key: string): number {
    const { keys } = this;
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Makes room for `key` at `slot` (there must be some); the caller sets the cell. */
  insert(slot: number, key: string): void {
    const { keys, cells, older, size } = this;
    if (slot < size) {
      for (let at = size; at > slot; at--) keys[at] = keys[at - 1]!;
      cells.copyWithin((slot + 1) * cellSize, slot * cellSize, size * cellSize);
    }
    keys[slot] = key;
    older?.splice(slot, 0, undefined);
    this.size = size + 1;
  }

  set(slot: number, main: Revision, sub: number, create: Revision, version: number): void {
    const { cells } = this;
    const at = slot * cellSize;
    cells[at] = main;
    cells[at + 1] = sub;
    cells[at + 2] = create;
    cells[at + 3] = version;
  }

  /** Makes the newest revision of `slot` an older one; the caller sets the next cell. */
  retire(slot: number): void {
    const { cells } = this;
    const at = slot * cellSize;
    this.older ??= new Array<number[] | undefined>(this.size).fill(undefined);
    const list = this.older[slot];
    if (list === undefined) this.older[slot] = [cells[at]!, cells[at + 1]!, cells[at + 2]!, cells[at + 3]!];
    else list.push(cells[at]!, cells[at + 1]!, cells[at + 2]!, cells[at + 3]!);
  }

  newest(slot: number): KeyRevision {
    return revisionOf(this.cells, slot * cellSize);
  }

  /** The newest revision of `slot` at or below `atMain`, tombstones included. */
  revisionAt(slot: number, atMain: Revision): KeyRevision | undefined {
    if (this.cells[slot * cellSize]! <= atMain) return revisionOf(this.cells, slot * cellSize);
    const list = this.older?.[slot];
    if (list === undefined) return undefined;
    const count = olderUpTo(list, atMain);
    return count === 0 ? undefined : revisionOf(list, (count - 1) * cellSize);
  }

  /** True where the key of `slot` exists at `atMain`. */
  isLiveAt(slot: number, atMain: Revision): boolean {
    const { cells } = this;
    const at = slot * cellSize;
    if (cells[at]! <= atMain) return cells[at + 3] !== 0;
    const list = this.older?.[slot];
    if (list === undefined) return false;
    const count = olderUpTo(list, atMain);
    return count > 0 && list[count * cellSize - 1] !== 0;
  }

  /** Moves the slots from `from` on to `target`, which is empty, and recounts both. */
  moveTail(from: number, target: KeyLeaf): void {
    target.take(this, from);
    this.size = from;
    if (this.older !== undefined) this.older.length = from;
    this.recount();
    target.recount();
    target.changedMain = this.changedMain;
  }

  /** Appends all slots of `right`, whose keys are all greater; there must be room. */
  absorb(right: KeyLeaf): void {
    this.take(right, 0);
    this.live += right.live;
    this.changedMain = Math.max(this.changedMain, right.changedMain);
  }

  /** Drops what no read at `compacted` or later can see; keys of which nothing is left go. */
  prune(compacted: Revision): void {
    const { keys, cells } = this;
    let kept = 0;
    let keptOlder: (number[] | undefined)[] | undefined;
    for (let slot = 0; slot < this.size; slot++) {
      const at = slot * cellSize;
      const main = cells[at]!;
      if (cells[at + 3] === 0 && main < compacted) continue;
      const list = main <= compacted ? undefined : prunedOlder(this.older?.[slot], compacted);
      if (kept < slot) {
        keys[kept] = keys[slot]!;
        cells.copyWithin(kept * cellSize, at, at + cellSize);
      }
      if (list !== undefined) {
        keptOlder ??= [];
        keptOlder[kept] = list;
      }
      kept++;
    }
    keys.fill("", kept, this.size);
    if (keptOlder !== undefined) keptOlder.length = kept;
    this.older = keptOlder;
    this.size = kept;
  }

  private take(source: KeyLeaf, from: number): void {
    const moved = source.size - from;
    for (let slot = 0; slot < moved; slot++) {
      this.keys[this.size + slot] = source.keys[from + slot]!;
      source.keys[from + slot] = "";
    }
    this.cells.set(source.cells.subarray(from * cellSize, source.size * cellSize), this.size * cellSize);
    if (source.older !== undefined || this.older !== undefined) {
      const mine = this.older ?? new Array<number[] | undefined>(this.size).fill(undefined);
      for (let slot = 0; slot < moved; slot++) mine.push(source.older?.[from + slot]);
      this.older = mine;
    }
    this.size += moved;
  }

  private recount(): void {
    let live = 0;
    for (let slot = 0; slot < this.size; slot++) if (this.cells[slot * cellSize + 3] !== 0) live++;
    this.live = live;
  }
}

function revisionOf(numbers: ArrayLike<number>, at: number): KeyRevision {
  return { main: numbers[at]!, sub: numbers[at + 1]!, create: numbers[at + 2]!, version: numbers[at + 3]! };
}

/** How many of the revisions in `list` have a main at or below `atMain`. */
function olderUpTo(list: readonly number[], atMain: Revision): number {
  let low = 0;
  let high = list.length / cellSize;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle * cellSize]! <= atMain) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The revisions that reads at `compacted` or later need; a tombstone at `compacted` itself stays, as in etcd. */
function prunedOlder(list: number[] | undefined, compacted: Revision): number[] | undefined {
  if (list === undefined) return undefined;
  let first = olderUpTo(list, compacted) - 1;
  if (first < 0) return list;
  const isTombstone = list[first * cellSize + 3] === 0;
  if (isTombstone && list[first * cellSize]! < compacted) first++;
  if (first === 0) return list;
  const kept = list.slice(first * cellSize);
  return kept.length === 0 ? undefined : kept;
}
