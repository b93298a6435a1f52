/**
 * The part of the log that is not known to be durable: a snapshot that is being installed, or none, and the
 * entries behind the stable ones. Each is handed out once to be written ("in progress") and stays visible here
 * until its write is confirmed.
 *
 * Example: offset 6, entries 6 7 8, offsetInProgress 8: entries 6 and 7 are being written, 8 is to be handed out
 * next. A new leader's entries from 7 on replace 7 and 8: offsetInProgress goes back to 7. Note that offset may
 * lie below the end of the stable log: its tail is then to be replaced.
 */
import { assert } from "../base/assert.js";
import type { Index, Term } from "../base/brand.js";
import { pageEnd } from "./entry-page.js";
import type { Entry, Snapshot } from "./types.js";

export class UnstableLog {
  snapshot: Snapshot | undefined;
  private snapshotInProgress = false;
  private entries: Entry[] = [];
  private offsetInProgress: Index;

  constructor(private offset: Index) {
    this.offsetInProgress = offset;
  }

  /** The first index that is not stable. */
  get firstEntryIndex(): Index {
    return this.offset;
  }

  get count(): number {
    return this.entries.length;
  }

  /** Undefined when neither a snapshot nor an entry is unstable. */
  lastIndex(): Index | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.metadata.index;
  }

  /** Undefined when nothing unstable has this index. */
  term(index: Index): Term | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term;
    const metadata = this.snapshot?.metadata;
    return metadata?.index === index ? metadata.term : undefined;
  }

  entry(index: Index): Entry | undefined {
    return this.entries[index - this.offset];
  }

  get hasNextEntries(): boolean {
    return this.offset + this.entries.length > this.offsetInProgress;
  }

  /** Entries that wait to be handed out for writing. */
  nextEntries(): Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset);
  }

  /** The snapshot that waits to be handed out for installation. */
  nextSnapshot(): Snapshot | undefined {
    return this.snapshotInProgress ? undefined : this.snapshot;
  }

  /** All that was waiting has been handed out. */
  acceptInProgress(): void {
    if (this.entries.length > 0) this.offsetInProgress = this.offset + this.entries.length;
    if (this.snapshot !== undefined) this.snapshotInProgress = true;
  }

  /**
   * Entries up to `index` with `term` there are durable: they leave, and are returned. None leave when another
   * term stands there meanwhile, or nothing.
   */
  takeStable(index: Index, term: Term): readonly Entry[] {
    if (index < this.offset || this.term(index) !== term) return [];
    const count = index + 1 - this.offset;
    const stable = count === this.entries.length ? this.entries : this.entries.slice(0, count);
    this.entries = count === this.entries.length ? [] : this.entries.slice(count);
    this.offset = index + 1;
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
    return stable;
  }

  /** The snapshot at `index` is installed: it leaves, and is returned; undefined when it is another. */
  takeStableSnapshot(index: Index): Snapshot | undefined {
    const { snapshot } = this;
    if (snapshot?.metadata.index !== index) return undefined;
    this.snapshot = undefined;
    this.snapshotInProgress = false;
    return snapshot;
  }

  /** The log begins anew behind `snapshot`. */
  restore(snapshot: Snapshot): void {
    this.offset = snapshot.metadata.index + 1;
    this.offsetInProgress = this.offset;
    this.entries = [];
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  /** Adds consecutive entries, from position `start` of `added` on; they replace what stands at their indexes. */
  truncateAndAppend(added: readonly Entry[], start = 0): void {
    const from = added[start]!.index;
    const end = this.offset + this.entries.length;
    assert(from <= end, "unstable entries are consecutive");
    if (from <= this.offset) {
      this.entries = [];
      this.offset = from;
      this.offsetInProgress = from;
    } else if (from < end) {
      this.entries.length = from - this.offset;
      this.offsetInProgress = Math.min(this.offsetInProgress, from);
    }
    for (let at = start; at < added.length; at++) this.entries.push(added[at]!);
  }

  /** Entries from `low` to `high` − 1, cut after `bytesMax` bytes but never to nothing; a copy of the list. */
  slice(low: Index, high: Index, bytesMax: number): Entry[] {
    assert(low >= this.offset && low <= high, "the range is unstable");
    assert(high <= this.offset + this.entries.length, "the range does not pass the end of the log");
    const start = low - this.offset;
    return this.entries.slice(start, pageEnd(this.entries, start, high - this.offset, bytesMax));
  }
}
