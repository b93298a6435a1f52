/**
 * What the multi-version store needs from outside, as interfaces that storage implements and tests replace.
 */
import type { LeaseId, Revision } from "../base/brand.js";
import type { ReadBatch, ReadBudget } from "./read-batch.js";

/**
 * A revision: `main` counts transactions, `sub` the writes inside one, from 0.
 * Example: a transaction that puts a and deletes b at revision 7 makes 7.0 (put a) and 7.1 (tombstone of b).
 */
export interface RevisionId {
  readonly main: Revision;
  readonly sub: number;
}

/**
 * The log of revisions, in ascending order. A value is the protobuf bytes of mvccpb.KeyValue just as a client
 * gets them; a tombstone's holds the key alone.
 */
export interface RevisionLog {
  /**
   * The stored bytes of a revision, at once (cached block or a synchronous read). The bytes are shared: never
   * written to. Asking for a revision that is not there is our bug (AssertionError); a block that fails its
   * checksum is a DamageError.
   */
  read(main: Revision, sub: number): Uint8Array;
  /** The same for many: says where the revisions of `batch` lie, in order, until the budget is used up. */
  locate(batch: ReadBatch, budget: ReadBudget): void;
  /** Bytes that reads have taken from disk up to now: work in slices counts them, as they cost time too. */
  readonly loadedBytes: number;
  /**
   * Appends the next revision in order; `read` sees it at once. Durability comes behind, from the Raft log.
   * `keyValue` is handed over: it is never written to again, and what memory it shares is of the same age, not a
   * network buffer that it would keep alive.
   */
  append(main: Revision, sub: number, tombstone: boolean, keyValue: Uint8Array): void;
}

/** One stored revision as a pass over the store yields it. */
export interface RevisionRecord {
  readonly main: Revision;
  readonly sub: number;
  readonly tombstone: boolean;
  /** Protobuf bytes of mvccpb.KeyValue; shares memory with its block. */
  readonly keyValue: Uint8Array;
}

/** Consecutive stored revisions where they lie: a pass over all of them makes no object for each. */
export interface RevisionSlice {
  readonly count: number;
  /** Holds all values. Shared: never written to. */
  readonly bytes: Uint8Array;
  mainAt(position: number): Revision;
  subAt(position: number): number;
  isTombstone(position: number): boolean;
  /** Where the value (see RevisionRecord) at a position begins in `bytes`; at `count`, where the last one ends. */
  valueStart(position: number): number;
}

/** The log of revisions as whoever serves the past reads it. */
export interface RevisionHistory {
  /**
   * Visits the revisions from main revision `fromMain` on, in ascending order and at once, until `visit` answers
   * false. What a compaction dropped is not there. The values are shared: never written to. A block that fails
   * its checksum is a DamageError.
   */
  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): void;
}

/** Which keys hang on which lease. The lease room implements it; a store without leases gets a book of none. */
export interface LeaseBook {
  exists(lease: LeaseId): boolean;
  /** Attaches `key` (latin1) to `lease`, which exists. */
  attach(lease: LeaseId, key: string): void;
  detach(lease: LeaseId, key: string): void;
}
