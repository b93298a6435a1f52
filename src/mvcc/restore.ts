/**
 * Stored revisions on their way into the key index. They come in the order in which they were written, and a key looked
 * up at random costs a walk down the tree with a dozen strings to compare, each somewhere else in memory. So they are
 * gathered, sorted by key and given to the index in its own order. The first run makes the index: a key goes behind the
 * one before it, and is not looked at again. Keys of later runs mostly go not far from the one before.
 */
import { assert } from "../base/assert.js";
import type { Revision } from "../base/brand.js";
import { limits } from "../base/limits.js";
import type { RevisionSlice } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { cellSize } from "./key-leaf.js";
import { KeyValueHead } from "./key-value.js";
import type { LeasedKeys } from "./leased-keys.js";
import { sortKeys } from "./sorted-positions.js";

const firstRoomRevisions = 1024;

export class Restore {
  /** Main of the newest revision so far. */
  newestMain: Revision = 0;
  private readonly head = new KeyValueHead();
  private readonly keys: string[] = [];
  /** As in a leaf: main, sub, create and version of each, with room for more. */
  private cells = new Float64Array(firstRoomRevisions * cellSize);

  constructor(
    private readonly index: KeyIndex,
    private readonly leased: LeasedKeys,
  ) {}

  /** Takes the next revisions, in ascending order. */
  take(slice: RevisionSlice): void {
    const { head, leased } = this;
    const { count, bytes } = slice;
    let start = slice.valueStart(0);
    for (let position = 0; position < count; position++) {
      const end = slice.valueStart(position + 1);
      const main = slice.mainAt(position);
      assert(main >= this.newestMain, "stored revisions come in ascending order");
      this.newestMain = main;
      head.read(bytes, start, end);
      start = end;
      const sub = slice.subAt(position);
      if (slice.isTombstone(position)) this.add(head.key, main, sub, 0, 0);
      else this.add(head.key, main, sub, head.createRevision, head.version);
      leased.restore(head.key, head.lease);
    }
  }

  /** Call when there are no more. */
  finish(): void {
    this.moveToIndex();
    this.leased.finishRestore();
  }

  private add(key: string, main: Revision, sub: number, create: Revision, version: number): void {
    const at = this.keys.length * cellSize;
    if (at === this.cells.length) this.makeRoom();
    const { cells } = this;
    cells[at] = main;
    cells[at + 1] = sub;
    cells[at + 2] = create;
    cells[at + 3] = version;
    this.keys.push(key);
    if (this.keys.length === limits.restoreRunRevisions) this.moveToIndex();
  }

  private makeRoom(): void {
    const before = this.cells;
    this.cells = new Float64Array(before.length * 2);
    this.cells.set(before);
  }

  /** In order of keys and, for one key, of revisions. */
  private moveToIndex(): void {
    const { index, keys, cells } = this;
    const { positions, repeats } = sortKeys(keys);
    const isFirst = index.isEmpty;
    for (let order = 0; order < positions.length; order++) {
      const position = positions[order]!;
      const at = position * cellSize;
      const key = keys[position]!;
      const main = cells[at]!;
      const sub = cells[at + 1]!;
      const create = cells[at + 2]!;
      const version = cells[at + 3]!;
      if (isFirst) index.restoreNext(key, repeats[order] === 1, main, sub, create, version);
      else index.restore(key, main, sub, create, version);
    }
    keys.length = 0;
  }
}
