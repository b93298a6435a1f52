/**
 * Stored revisions on their way into the key index. They come in the order in which they were written, and a key looked
 * up at random costs a walk down the tree with a dozen strings to compare, each somewhere else in memory. So they are
 * gathered, sorted by key and given to the index in its own order: a key then mostly goes behind the one before it.
 * A fresh index gets full leaves that way, too.
 */
import { assert } from "../base/assert.js";
import type { Revision } from "../base/brand.js";
import { limits } from "../base/limits.js";
import type { RevisionRecord } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { cellSize } from "./key-leaf.js";
import { KeyValueHead } from "./key-value.js";
import type { LeasedKeys } from "./leased-keys.js";
import { sortedPositions } from "./sorted-positions.js";

export class Restore {
  /** Main of the newest revision so far. */
  newestMain: Revision = 0;
  private readonly head = new KeyValueHead();
  private readonly keys: string[] = [];
  /** As in a leaf: main, sub, create and version of each. */
  private readonly cells = new Float64Array(limits.restoreRunRevisions * cellSize);

  constructor(
    private readonly index: KeyIndex,
    private readonly leased: LeasedKeys,
  ) {}

  /** Takes the next revisions, in ascending order. */
  take(records: readonly RevisionRecord[]): void {
    const { head, leased } = this;
    for (const { main, sub, tombstone, keyValue } of records) {
      assert(main >= this.newestMain, "stored revisions come in ascending order");
      this.newestMain = main;
      head.read(keyValue);
      if (tombstone) this.add(head.key, main, sub, 0, 0);
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
    const { cells } = this;
    const at = this.keys.length * cellSize;
    cells[at] = main;
    cells[at + 1] = sub;
    cells[at + 2] = create;
    cells[at + 3] = version;
    this.keys.push(key);
    if (this.keys.length === limits.restoreRunRevisions) this.moveToIndex();
  }

  /** In order of keys and, for one key, of revisions. */
  private moveToIndex(): void {
    const { index, keys, cells } = this;
    for (const position of sortedPositions(keys)) {
      const at = position * cellSize;
      index.restore(keys[position]!, cells[at]!, cells[at + 1]!, cells[at + 2]!, cells[at + 3]!);
    }
    keys.length = 0;
  }
}
