/**
 * Which revisions every key has: key → generations of revisions (see key-leaf.ts for how a generation begins
 * and ends, with an example), in byte order of keys. It lives in memory and is rebuilt at start.
 */
import { assert } from "../base/assert.js";
import type { Revision } from "../base/brand.js";
import type { KeyInterval } from "./key-interval.js";
import type { KeyRevision } from "./key-leaf.js";
import { KeyTree } from "./key-tree.js";
import { LiveJournal } from "./live-journal.js";

export interface KeyIndexOptions {
  /** How many made and ended keys are remembered for counts at older revisions. */
  readonly journalEntriesMax: number;
}

/** Sees a key that exists at the revision asked for; false ends the visit. */
export type KeyVisitor = (key: string, revision: KeyRevision) => boolean;

export class KeyIndex {
  private readonly tree = new KeyTree();
  private readonly journal: LiveJournal;

  constructor(options: KeyIndexOptions) {
    this.journal = new LiveJournal(options.journalEntriesMax);
  }

  /** Keys that exist now. */
  get live(): number {
    return this.tree.live;
  }

  /** Without any key, alive or deleted. */
  get isEmpty(): boolean {
    return this.tree.isEmpty;
  }

  /** The revision that a read of `key` at `atMain` sees; undefined where the key does not exist then. */
  get(key: string, atMain: Revision): KeyRevision | undefined {
    const revision = this.newestUpTo(key, atMain);
    return revision === undefined || revision.version === 0 ? undefined : revision;
  }

  /** The newest revision of `key` at or below `atMain`, be it a tombstone. */
  newestUpTo(key: string, atMain: Revision): KeyRevision | undefined {
    if (!this.tree.find(key)) return undefined;
    return this.tree.leaf.revisionAt(this.tree.slot, atMain);
  }

  /** Adds a put, which is newer than all there is. Answers the pair before it; undefined where the key did not exist. */
  put(key: string, main: Revision, sub: number): KeyRevision | undefined {
    const { tree } = this;
    let previous: KeyRevision | undefined;
    if (tree.find(key)) {
      previous = this.retireNewest(main, sub);
      if (previous.version === 0) {
        previous = undefined;
        // It is counted below.
        tree.seek(key);
      }
    } else {
      tree.insert(key);
    }
    if (previous === undefined) {
      tree.leaf.set(tree.slot, main, sub, main, 1);
      tree.changeLive(1, main);
      this.journal.record(main, key, 1);
    } else {
      tree.leaf.set(tree.slot, main, sub, previous.create, previous.version + 1);
    }
    return previous;
  }

  /** Adds a tombstone, newer than all there is, to a key that exists. Answers the pair before it. */
  tombstone(key: string, main: Revision, sub: number): KeyRevision {
    const { tree } = this;
    assert(tree.seek(key), "only a key that exists is deleted");
    const previous = this.retireNewest(main, sub);
    assert(previous.version > 0, "only a key that exists is deleted");
    tree.leaf.set(tree.slot, main, sub, 0, 0);
    tree.changeLive(-1, main);
    this.journal.record(main, key, -1);
    return previous;
  }

  /**
   * Adds a stored revision; `version` 0 for a tombstone. Those of one key come in ascending order. It is quick where
   * the key goes behind the last one, or not far from it (see restore.ts).
   */
  restore(key: string, main: Revision, sub: number, create: Revision, version: number): void {
    const { tree } = this;
    const isRepeat = tree.seekNear(key);
    if (!isRepeat) tree.insert(key);
    this.setRestored(isRepeat, main, sub, create, version);
  }

  /**
   * The same for an index that was empty, with keys that only rise: `isRepeat` where `key` is that of the last call.
   * Looks at no key, and makes full leaves.
   */
  restoreNext(
    key: string,
    isRepeat: boolean,
    main: Revision,
    sub: number,
    create: Revision,
    version: number,
  ): void {
    if (!isRepeat) this.tree.append(key);
    this.setRestored(isRepeat, main, sub, create, version);
  }

  /** Ends a restore at `main`: from here on it is recorded what is made and ended. */
  finishRestore(main: Revision): void {
    this.journal.reset(main);
  }

  /** Keys of the interval that exist at `atMain` (at or above the compacted revision). */
  count(interval: KeyInterval, atMain: Revision): number {
    const { tree, journal } = this;
    const { start, end } = interval;
    const now = tree.count(start, end, Number.POSITIVE_INFINITY);
    if (!journal.reachesBackTo(atMain)) return tree.count(start, end, atMain);
    const entries = journal.entriesSince(atMain);
    if (entries === 0) return now;
    // Otherwise the tree walks what changed since: it is the shorter way in a small range.
    return entries <= now ? now - journal.netSince(atMain, interval) : tree.count(start, end, atMain);
  }

  /**
   * Visits the keys of the interval that exist at `atMain`, in order, looking at `examinedMax` keys at most.
   * Answers where to go on: the key behind the last one looked at; undefined where the interval is done.
   */
  visit(
    { start, end }: KeyInterval,
    atMain: Revision,
    examinedMax: number,
    visitor: KeyVisitor,
  ): string | undefined {
    this.tree.find(start);
    let { leaf, slot } = this.tree;
    let left = examinedMax;
    for (;;) {
      // One look at the leaf's last key saves one at each: their strings lie all over the heap.
      const isWhole = end === undefined || leaf.size === 0 || leaf.keys[leaf.size - 1]! < end;
      const inRange = isWhole ? leaf.size : leaf.lowerBound(end);
      const stop = Math.min(inRange, slot + left);
      left -= Math.max(stop - slot, 0);
      for (; slot < stop; slot++) {
        const revision = leaf.revisionAt(slot, atMain);
        if (revision === undefined || revision.version === 0) continue;
        const key = leaf.keys[slot]!;
        if (!visitor(key, revision)) return `${key}\0`;
      }
      if (slot < inRange) return leaf.keys[slot]!;
      if (!isWhole || leaf.next === undefined) return undefined;
      leaf = leaf.next;
      slot = 0;
    }
  }

  /** The key that exists now and has `rank` keys before it that exist now; `rank` is below `live`. */
  keyAtRank(rank: number): string {
    assert(rank >= 0 && rank < this.live, "a rank is below the number of keys");
    this.tree.seekRank(rank);
    return this.tree.leaf.keys[this.tree.slot]!;
  }

  /**
   * Forgets what no read at `compacted` or later can see, from the key `from` on, looking at about
   * `examinedMax` keys. Answers where to go on; undefined when all is done.
   */
  prune(from: string, compacted: Revision, examinedMax: number): string | undefined {
    let next: string | undefined = from;
    for (let examined = 0; next !== undefined && examined < examinedMax; ) {
      const step: { next: string | undefined; examined: number } = this.tree.pruneLeaf(next, compacted);
      next = step.next;
      // An emptied leaf costs its unhooking even if it held nothing.
      examined += Math.max(step.examined, 1);
    }
    return next;
  }

  private setRestored(
    isRepeat: boolean,
    main: Revision,
    sub: number,
    create: Revision,
    version: number,
  ): void {
    const { tree } = this;
    const wasLive = isRepeat && this.retireNewest(main, sub).version > 0;
    tree.leaf.set(tree.slot, main, sub, create, version);
    if (wasLive !== version > 0) tree.changeLive(wasLive ? -1 : 1, main);
  }

  private retireNewest(main: Revision, sub: number): KeyRevision {
    const { leaf, slot } = this.tree;
    const newest = leaf.newest(slot);
    assert(newest.main < main || (newest.main === main && newest.sub < sub), "revisions of a key only rise");
    leaf.retire(slot);
    return newest;
  }
}
