/**
 * The stable part of the log as the state machine sees it: the durable entries since the last cut, in memory (the
 * older ones packed, see entry-pages.ts), the newest snapshot of the store, and the hard state that start found.
 *
 * Example: `applySnapshot` at index 10, then `append` of 11…15: firstIndex 11, lastIndex 15, the term at 10 is
 * still known. `compact(13)`: firstIndex 14, the term at 13 is still known, 12 and below are unknown.
 *
 * The owner fills it at start (snapshot, hard state, entries). While it runs the state machine itself moves
 * entries and snapshots here when it hears that they are durable; the owner only calls `createSnapshot` and
 * `compact` when it cuts the log.
 */
import { assert } from "../base/assert.js";
import type { Index, Term } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import { entrySizeBytes } from "./codec.js";
import { EntryPages } from "./entry-pages.js";
import type { ConfState, Entry, HardState, Snapshot, SnapshotMetadata } from "./types.js";
import { emptyConfState } from "./types.js";

const noSnapshot: Snapshot = { data: emptyBytes, metadata: { confState: emptyConfState, index: 0, term: 0 } };

export class MemoryLog {
  private hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  private newestSnapshot: Snapshot = noSnapshot;
  /** Entry `index` is at position `index - cutIndex - 1`: first those in `older`, then those in `recent`. */
  private readonly older = new EntryPages();
  private recent: Entry[] = [];
  /** The entry before all these, which is gone but for its term. */
  private cutIndex: Index = 0;
  private cutTerm: Term = 0;

  /** What a member that starts goes on from. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.hardState, confState: this.newestSnapshot.metadata.confState };
  }

  setHardState(hardState: HardState): void {
    this.hardState = hardState;
  }

  /** The first index of which the entry is here; lastIndex + 1 when there is none. */
  firstIndex(): Index {
    return this.cutIndex + 1;
  }

  lastIndex(): Index {
    return this.cutIndex + this.older.length + this.recent.length;
  }

  /** The term at `index`, from firstIndex − 1 to lastIndex; undefined outside. */
  term(index: Index): Term | undefined {
    if (index === this.cutIndex) return this.cutTerm;
    const position = index - this.cutIndex - 1;
    const { older } = this;
    if (position >= older.length) return this.recent[position - older.length]?.term;
    return position < 0 ? undefined : older.termAt(position);
  }

  /** The entry at `index`, from firstIndex to lastIndex. */
  entry(index: Index): Entry {
    assert(index > this.cutIndex && index <= this.lastIndex(), "an entry that is read is here");
    const position = index - this.cutIndex - 1;
    const { older } = this;
    return position < older.length ? older.entryAt(position, index) : this.recent[position - older.length]!;
  }

  /** Entries from `low` to `high` − 1, cut after `bytesMax` bytes but never to nothing; a copy of the list. */
  entries(low: Index, high: Index, bytesMax: number): Entry[] {
    assert(
      low > this.cutIndex && low <= high && high <= this.lastIndex() + 1,
      "entries that are read are here",
    );
    const page: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const entry = this.entry(index);
      bytes += entrySizeBytes(entry);
      if (bytes > bytesMax && page.length > 0) break;
      page.push(entry);
    }
    return page;
  }

  /**
   * Adds durable entries, which are consecutive. They replace the tail that starts at the same index; what lies
   * below the window is passed over.
   */
  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index <= this.lastIndex() + 1, "no entry is missing between the log and what is added");
    const skipped = Math.max(0, this.cutIndex + 1 - first.index);
    if (skipped >= entries.length) return;
    this.truncate(first.index + skipped - this.cutIndex - 1);
    if (this.recent.length + entries.length - skipped > limits.logEntriesUnpacked) this.pack();
    for (let at = skipped; at < entries.length; at++) this.recent.push(entries[at]!);
  }

  /** The newest snapshot; undefined when the log was never cut. */
  snapshot(): Snapshot | undefined {
    return this.newestSnapshot.metadata.index === 0 ? undefined : this.newestSnapshot;
  }

  /** The snapshot replaces everything here. False, and nothing done, when it is not ahead of the one that is. */
  applySnapshot(snapshot: Snapshot): boolean {
    const { index, term } = snapshot.metadata;
    const current = this.newestSnapshot.metadata.index;
    if (current !== 0 && current >= index) return false;
    this.newestSnapshot = snapshot;
    this.truncate(0);
    this.cutIndex = index;
    this.cutTerm = term;
    return true;
  }

  /**
   * Notes that the store as of `metadata` is durable, so that followers can be sent it. False, and nothing done,
   * when the newest snapshot is as new. The entries stay until `compact`.
   */
  createSnapshot(metadata: SnapshotMetadata, data: Uint8Array = emptyBytes): boolean {
    if (metadata.index <= this.newestSnapshot.metadata.index) return false;
    assert(metadata.index <= this.lastIndex(), "a snapshot holds only what is in the log");
    this.newestSnapshot = { data, metadata };
    return true;
  }

  /** Drops the entries up to `index`, which must be applied. False, and nothing done, when they are gone. */
  compact(index: Index): boolean {
    if (index <= this.cutIndex) return false;
    assert(index <= this.lastIndex(), "only what is in the log can be dropped");
    this.cutTerm = this.term(index)!;
    const count = index - this.cutIndex;
    const packed = Math.min(count, this.older.length);
    this.older.dropFirst(packed);
    if (count > packed) this.recent = this.recent.slice(count - packed);
    this.cutIndex = index;
    return true;
  }

  /** Keeps the `count` oldest. */
  private truncate(count: number): void {
    const packed = Math.min(count, this.older.length);
    if (packed < this.older.length) this.older.truncate(packed);
    if (count - packed < this.recent.length) this.recent.length = count - packed;
  }

  /** What is read next is what is appended next: all before it goes to the packed ones. */
  private pack(): void {
    for (const entry of this.recent) this.older.push(entry);
    this.recent = [];
  }
}
