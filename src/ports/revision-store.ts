/**
 * The durable store behind the in-memory index: revisions in blocks, and small state (leases, members, users,
 * the applied index) beside them in the same atomic batches.
 */
import type { Index, Revision, Term } from "../base/brand.js";
import type { RevisionHistory, RevisionLog, RevisionRecord, RevisionSlice } from "../mvcc/contract.js";

/** The log position that the store's content is the result of. */
export interface AppliedMark {
  readonly index: Index;
  readonly term: Term;
}

/** Answers whether a revision at or below a compaction must stay; mvcc knows. */
export type RevisionAlive = (record: RevisionRecord) => boolean;

/** A consistent image of the whole store at one applied mark, as a stream of chunks (limits.snapshotChunkBytes). */
export interface StoreImage {
  readonly applied: AppliedMark;
  /** Bytes of all chunks; an estimate before the last one was read. */
  readonly sizeBytes: number;
  chunks(): AsyncIterable<Uint8Array>;
  /** Lets go of the LevelDB snapshot it holds. Safe to call twice. */
  close(): Promise<void>;
}

export interface RevisionStore extends RevisionLog, RevisionHistory {
  /** What the newest durable batch says; index 0 for a fresh store. */
  readonly durableApplied: AppliedMark;
  /** Bytes appended or set and not yet durable: the driver stops applying above limits.pendingRevisionBytesMax. */
  readonly pendingBytes: number;
  /** Size on disk in bytes, and the part of it that live blocks use. */
  readonly sizeBytes: number;
  readonly sizeInUseBytes: number;

  /** A small record, as last set (pending included). Keys are ASCII, in the registry of storage/leveldb/keys.ts. */
  getState(key: string): Uint8Array | undefined;
  /** Sets or (undefined) removes a small record. It becomes durable with the revisions of the same unit. */
  setState(key: string, value: Uint8Array | undefined): void;
  /** All small records whose key starts with `prefix`, in key order, pending included. */
  listState(prefix: string): readonly (readonly [key: string, value: Uint8Array])[];

  /**
   * Ends a unit: everything appended and set since the last seal is the effect of the log up to `applied`.
   * Units become durable whole, and in order.
   */
  seal(applied: AppliedMark): void;
  /**
   * Writes all sealed units at or below `durableIndex` (the log holds them durably: the store must never be
   * ahead of its own log) in one atomic batch. One flush at a time; rejects when the disk failed: stop the process.
   * `sync` true forces it to stable storage (needed before the log is cut); false leaves that to LevelDB.
   */
  flush(durableIndex: Index, options: { readonly sync: boolean }): Promise<void>;

  /** All durable revisions in order, at start. */
  scanAll(): AsyncIterable<RevisionSlice>;
  /** A pass over durable revisions in order, in slices of about a block; used for hashes. */
  scan(options: {
    readonly fromMain: Revision;
    readonly toMain: Revision;
  }): AsyncIterable<readonly RevisionRecord[]>;

  /**
   * Rewrites blocks that start at or below `upTo`: records for which `alive` is false go, small neighbours
   * merge, empty blocks vanish. Works in slices and yields between them; a crash in between loses nothing.
   */
  compact(upTo: Revision, alive: RevisionAlive): Promise<void>;

  /** The state in memory is built, and nothing else under way: gives back the memory that the pass over all took. */
  loaded(): Promise<void>;
  /** Gives back the memory of cached revisions that nobody read since the last call. */
  dropUnread(): void;

  /** An image of everything durable now (the caller flushes first). */
  openImage(): Promise<StoreImage>;
  close(): Promise<void>;
}
