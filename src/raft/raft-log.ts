/**
 * The log: its stable part (`MemoryLog`) followed by its unstable part, and how far it is committed and applied.
 * Invariant: applied ≤ applying ≤ committed ≤ lastIndex.
 */
import { assert } from "../base/assert.js";
import type { Index, Term } from "../base/brand.js";
import { entriesSizeBytes } from "./entry-page.js";
import type { MemoryLog } from "./log-store.js";
import type { Entry, Snapshot } from "./types.js";
import { UnstableLog } from "./unstable-log.js";

/** Names an entry: no two leaders make different entries of one term and index. */
export interface EntryId {
  readonly term: Term;
  readonly index: Index;
}

/** Entries for which `prev` is the one before, as an append message carries them. */
export interface LogSlice {
  readonly prev: EntryId;
  readonly entries: readonly Entry[];
}

export class RaftLog {
  readonly unstable: UnstableLog;
  committed: Index;
  /** Handed out to be applied, up to here. */
  applying: Index;
  applied: Index;
  private applyingBytes = 0;
  /** The page limit stops handing out until something of it was applied. */
  private applyingPaused = false;

  constructor(
    private readonly stable: MemoryLog,
    private readonly applyingBytesMax: number,
  ) {
    this.unstable = new UnstableLog(stable.lastIndex() + 1);
    this.committed = stable.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
  }

  firstIndex(): Index {
    const { snapshot } = this.unstable;
    return snapshot === undefined ? this.stable.firstIndex() : snapshot.metadata.index + 1;
  }

  lastIndex(): Index {
    return this.unstable.lastIndex() ?? this.stable.lastIndex();
  }

  last(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    assert(term !== undefined, "the term of the last entry is known");
    return { term, index };
  }

  /** The term at `index`; undefined when it was cut off or is not there yet. */
  term(index: Index): Term | undefined {
    const unstable = this.unstable.term(index);
    if (unstable !== undefined) return unstable;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.stable.term(index);
  }

  /** The entry at an index from firstIndex to lastIndex. */
  entry(index: Index): Entry {
    return this.unstable.entry(index) ?? this.stable.entry(index);
  }

  /** The newest snapshot that a follower can be sent. */
  snapshot(): Snapshot | undefined {
    return this.unstable.snapshot ?? this.stable.snapshot();
  }

  /** Raft thesis, section 3.6.1: the later term is newer; of the same term the longer log is. */
  isUpToDate(candidate: EntryId): boolean {
    const last = this.last();
    return candidate.term > last.term || (candidate.term === last.term && candidate.index >= last.index);
  }

  matches(id: EntryId): boolean {
    return this.term(id.index) === id.term;
  }

  /**
   * Appends a leader's entries when the one before them is here, replacing those that conflict, and commits up to
   * `commit` as far as the leader's log is known here. The last index that matches the leader's log, or undefined.
   */
  tryAppend({ prev, entries }: LogSlice, commit: Index): Index | undefined {
    if (!this.matches(prev)) return undefined;
    const lastNew = prev.index + entries.length;
    const conflict = this.findConflict(entries);
    if (conflict < entries.length) {
      assert(entries[conflict]!.index > this.committed, "a committed entry is never replaced");
      this.unstable.truncateAndAppend(entries, conflict);
    }
    this.commitTo(Math.min(commit, lastNew));
    return lastNew;
  }

  /** Position of the first of `entries` that is not in the log; their number when all are. */
  private findConflict(entries: readonly Entry[]): number {
    let at = 0;
    while (at < entries.length && this.matches(entries[at]!)) at++;
    return at;
  }

  /** Adds entries of a leader's own at the end. */
  append(entries: readonly Entry[]): void {
    assert(entries[0]?.index === this.lastIndex() + 1, "a leader only appends");
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * The best guess where this log ends to agree with one of which only `id` is known: the largest index up to
   * `id.index` with a term not above `id.term`, or one whose term is unknown here (term 0 then).
   */
  findConflictByTerm(id: EntryId): EntryId {
    for (let { index } = id; index > 0; index--) {
      const term = this.term(index);
      if (term === undefined) return { term: 0, index };
      if (term <= id.term) return { term, index };
    }
    return { term: 0, index: 0 };
  }

  /** Up to `bytesMax` bytes of entries from `low` on, at least one if there is any; undefined when cut off. */
  entriesFrom(low: Index, bytesMax: number): readonly Entry[] | undefined {
    if (low > this.lastIndex()) return [];
    return this.slice(low, this.lastIndex() + 1, bytesMax);
  }

  private slice(low: Index, high: Index, bytesMax: number): readonly Entry[] | undefined {
    if (low < this.firstIndex()) return undefined;
    const offset = this.unstable.firstEntryIndex;
    if (low >= offset) return this.unstable.slice(low, high, bytesMax);
    const cut = Math.min(high, offset);
    const stable = this.stable.entries(low, cut, bytesMax);
    if (high <= offset || stable.length < cut - low) return stable;
    const bytes = entriesSizeBytes(stable);
    if (bytes >= bytesMax) return stable;
    const rest = this.unstable.slice(offset, high, bytesMax - bytes);
    // A page of a single entry may be over its limit; here something stands before it already.
    if (rest.length === 1 && bytes + entriesSizeBytes(rest) > bytesMax) return stable;
    return stable.concat(rest);
  }

  commitTo(index: Index): void {
    if (index <= this.committed) return;
    assert(
      index <= this.lastIndex(),
      "what is committed is in the log: it was damaged, cut or lost otherwise",
    );
    this.committed = index;
  }

  /** Commits up to `id` when it is new and of the term given. Raft thesis, section 3.6.2. */
  tryCommit(id: EntryId): boolean {
    if (id.index <= this.committed || !this.matches(id)) return false;
    this.commitTo(id.index);
    return true;
  }

  /** The store has applied everything up to `index`; `bytes` of it had been handed out. */
  appliedTo(index: Index, bytes: number): void {
    assert(index >= this.applied && index <= this.committed, "applied moves forward, to what is committed");
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.applyingBytes = Math.max(0, this.applyingBytes - bytes);
    this.applyingPaused = this.applyingBytes >= this.applyingBytesMax;
  }

  /** Entries up to `index`, `bytes` in all, were handed out to be applied. */
  acceptApplying(index: Index, bytes: number, allowUnstable: boolean): void {
    assert(index <= this.committed, "only what is committed is applied");
    this.applying = index;
    this.applyingBytes += bytes;
    // A page that ends early was cut by the limit: the next would pass it.
    this.applyingPaused =
      this.applyingBytes >= this.applyingBytesMax || index < this.appliableIndex(allowUnstable);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // While a snapshot is being installed nothing is applied on top of it.
    if (this.applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.appliableIndex(allowUnstable);
  }

  /** The next page of committed entries to apply. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const high = this.appliableIndex(allowUnstable) + 1;
    const entries = this.slice(this.applying + 1, high, this.applyingBytesMax - this.applyingBytes);
    assert(entries !== undefined, "what is not applied was not cut off");
    return entries;
  }

  /** Committed, and durable here unless `allowUnstable`. */
  private appliableIndex(allowUnstable: boolean): Index {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.firstEntryIndex - 1);
  }

  /** Entries up to `id` are durable, unless another stands there by now. */
  stableTo(id: EntryId): void {
    this.stable.append(this.unstable.takeStable(id.index, id.term));
  }

  /** The snapshot at `index` is installed. */
  stableSnapshotTo(index: Index): void {
    const snapshot = this.unstable.takeStableSnapshot(index);
    if (snapshot !== undefined) this.stable.applySnapshot(snapshot);
  }

  /** The log begins anew behind `snapshot`. */
  restore(snapshot: Snapshot): void {
    this.committed = snapshot.metadata.index;
    this.unstable.restore(snapshot);
  }
}
