/** What a committed transaction changed, for whoever tells watchers. */
import type { Revision } from "../base/brand.js";
import type { RevisionId } from "./contract.js";

/** One write of a transaction. */
export interface Change {
  readonly kind: "put" | "delete";
  /** Latin1 (see base/bytes.ts). */
  readonly key: string;
  /** Protobuf bytes of the event's mvccpb.KeyValue: the stored pair; of a delete its key and mod_revision. Shared. */
  readonly keyValue: Uint8Array;
  readonly main: Revision;
  readonly sub: number;
  /**
   * The pair before this write, to be read from the revision log when a watcher wants it; undefined where the
   * key did not exist. It can be gone once a compaction at or above this change's revision ran.
   */
  readonly previous: RevisionId | undefined;
  /** True for a put that made the key (version 1). */
  readonly isCreate: boolean;
}

export interface ChangeSink {
  /**
   * Called once for each transaction that wrote, inside the call that wrote it, when the store is at `revision`.
   * `changes` is in order of `sub`, is never empty, and is not touched afterwards.
   */
  committed(revision: Revision, changes: readonly Change[]): void;
}
