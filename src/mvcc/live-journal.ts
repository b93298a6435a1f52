/**
 * Which keys were made and ended, by revision, for the newest of them. A page of a listing at the revision of
 * its first page wants the count at that revision: the count now, less what was made since, plus what ended.
 *
 * Example: made a at 5, made b at 6, ended a at 8. Of the range [a, c) there is 1 key now; at 5 there was
 * 1 − (+1 − 1) = 1, namely a; at 4 there was 1 − (+1 + 1 − 1) = 0.
 */
import type { Revision } from "../base/brand.js";
import type { KeyInterval } from "./key-interval.js";

export class LiveJournal {
  /** Two lists of the same length, in order of revision; a revision that ended its key stands negative. */
  private mains: Revision[] = [];
  private keys: string[] = [];
  /** Everything after this revision is in the lists. */
  private floor: Revision = 0;

  /** `entriesMax` bounds the memory; beyond it the older half is forgotten. */
  constructor(private readonly entriesMax: number) {}

  record(main: Revision, key: string, delta: 1 | -1): void {
    if (this.mains.length >= this.entriesMax) this.forgetHalf();
    this.mains.push(main * delta);
    this.keys.push(key);
  }

  /** Forgets everything; what happens after `floor` will be recorded. */
  reset(floor: Revision): void {
    this.mains = [];
    this.keys = [];
    this.floor = floor;
  }

  /** True where everything that happened after `atMain` is known. */
  reachesBackTo(atMain: Revision): boolean {
    return atMain >= this.floor;
  }

  /** How many entries there are after `atMain`: what `netSince` costs. */
  entriesSince(atMain: Revision): number {
    return this.mains.length - this.firstAfter(atMain);
  }

  /** Keys made less keys ended after `atMain` in the interval. */
  netSince(atMain: Revision, { start, end }: KeyInterval): number {
    let net = 0;
    for (let at = this.firstAfter(atMain); at < this.keys.length; at++) {
      const key = this.keys[at]!;
      if (key >= start && (end === undefined || key < end)) net += Math.sign(this.mains[at]!);
    }
    return net;
  }

  private firstAfter(atMain: Revision): number {
    let low = 0;
    let high = this.mains.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Math.abs(this.mains[middle]!) <= atMain) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private forgetHalf(): void {
    const from = this.mains.length >>> 1;
    // A revision that is forgotten in part is forgotten: only what comes after it is whole.
    this.floor = Math.abs(this.mains[from - 1]!);
    this.mains = this.mains.slice(from);
    this.keys = this.keys.slice(from);
  }
}
