/**
 * Finds the watches of a key: by a map where they watch one key, by an interval tree where they watch a range.
 * Watches of the same keys stand in one group, so that what was written is looked up, and encoded, once for all.
 */
import { assert } from "../../base/assert.js";
import type { WatchedWrite } from "./event-batch.js";
import { IntervalTree } from "./interval-tree.js";
import type { Watch } from "./watch.js";

/** All watches of an index on the same key or range. */
export class WatchGroup {
  /** In no order: one that leaves gives its place to the last. So whoever sends goes through them from the end. */
  readonly watches: Watch[] = [];
  /** What was written to their keys and is not sent yet; whoever fills it empties it in the same step. */
  writes: WatchedWrite[] = [];

  constructor(
    readonly key: string,
    readonly rangeEnd: string,
  ) {}
}

export class WatchIndex {
  private readonly keys = new Map<string, WatchGroup>();
  private readonly ranges = new IntervalTree<WatchGroup>();
  private count = 0;

  /** Watches. */
  get size(): number {
    return this.count;
  }

  add(watch: Watch): void {
    assert(watch.group === undefined, "a watch stands in one index");
    const group = this.groupOf(watch);
    watch.group = group;
    watch.slot = group.watches.length;
    group.watches.push(watch);
    this.count++;
  }

  remove(watch: Watch): void {
    const { group, slot } = watch;
    assert(group?.watches[slot] === watch, "a watch that leaves an index stands in it");
    const last = group.watches.pop()!;
    if (last !== watch) {
      group.watches[slot] = last;
      last.slot = slot;
    }
    watch.group = undefined;
    this.count--;
    if (group.watches.length === 0) this.drop(group);
  }

  /** Visits each group that watches `key`, once. */
  visit(key: string, visit: (group: WatchGroup) => void): void {
    const group = this.keys.get(key);
    if (group !== undefined) visit(group);
    this.ranges.containing(key, visit);
  }

  private groupOf({ key, rangeEnd }: Watch): WatchGroup {
    const known = rangeEnd === "" ? this.keys.get(key) : this.ranges.get(key, endOf(rangeEnd));
    if (known !== undefined) return known;
    const group = new WatchGroup(key, rangeEnd);
    if (rangeEnd === "") this.keys.set(key, group);
    else this.ranges.add(key, endOf(rangeEnd), group);
    return group;
  }

  private drop({ key, rangeEnd }: WatchGroup): void {
    if (rangeEnd === "") this.keys.delete(key);
    else this.ranges.remove(key, endOf(rangeEnd));
  }
}

/** The range end "\0" means every key from the first on (see KeySpan). */
function endOf(rangeEnd: string): string | undefined {
  return rangeEnd === "\0" ? undefined : rangeEnd;
}
