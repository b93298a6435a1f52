/** The Raft log on stable storage, as the driver of a member writes it. Reading it happens once, at start. */
import type { Index, Term } from "../base/brand.js";
import type { ConfState, Entry, HardState } from "../raft/types.js";

/** Where a snapshot of the store cuts the log (walpb.Snapshot). */
export interface LogMark {
  readonly index: Index;
  readonly term: Term;
  readonly confState: ConfState;
}

/** One durable step. Order in the log: entries, then hard state, then mark. */
export interface LogAppend {
  /** Consecutive; the first may overwrite a tail that a new leader rejected. */
  readonly entries: readonly Entry[];
  readonly hardState?: HardState | undefined;
  readonly mark?: LogMark | undefined;
}

/** What start finds: everything after the mark that the caller named, whole. */
export interface RecoveredLog {
  /** Opaque bytes given at creation (etcdserverpb.Metadata: node and cluster id). */
  readonly metadata: Uint8Array;
  readonly hardState: HardState;
  /** Entries after the chosen mark, consecutive, conflicts already resolved in favour of the later record. */
  readonly entries: readonly Entry[];
  /** The newest mark at or below the index asked for; index 0 for a log that was never cut. */
  readonly mark: LogMark;
}

export interface RaftLog {
  /**
   * Makes `appends` durable, in order, by one write and one fdatasync for all of them: when the promise resolves, or,
   * where none is given, by now. Calls are not concurrent: the driver gathers the next batch meanwhile. Throws or
   * rejects only when the disk failed: the caller must then stop the process, as the page cache can no longer be
   * trusted. `mustSync` false (only a commit index moved): written, not synced.
   */
  append(appends: readonly LogAppend[], options: { readonly mustSync: boolean }): Promise<void> | undefined;
  /** Drops whole segments that hold only entries at or below `index` (they are in a durable store). */
  release(index: Index): Promise<void>;
  close(): Promise<void>;
}
