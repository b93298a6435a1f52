/**
 * The multi-version store: a revision for every transaction that writes, every past revision readable until a
 * compaction passes it. Pure and synchronous; values lie in the revision log (contract.ts), which key has which
 * revision is in the index.
 *
 * Bounds of a step: a put or get is a descent of the index. What can be long comes in slices that the caller
 * spaces out: `openRange`, `pruneSlice`, `restoreSlice`, `openHash`. A transaction runs whole, as it must.
 *
 * What is absent here: time, disk, authentication, quotas, and checks of a request's shape (checks.ts).
 */
import { assert } from "../base/assert.js";
import type { Revision } from "../base/brand.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { ChangeSink } from "./changes.js";
import type { LeaseBook, RevisionLog, RevisionRecord, RevisionSlice } from "./contract.js";
import { HashKv } from "./hash-kv.js";
import { KeyIndex } from "./key-index.js";
import { storedKey } from "./key-value.js";
import { LeasedKeys } from "./leased-keys.js";
import { OperationCounts } from "./operation-counts.js";
import { RangeCursor, type RangeRevisions, readRange } from "./range-cursor.js";
import type { DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest } from "./requests.js";
import { Restore } from "./restore.js";
import type { DeleteRangeResult, PutResult, RangeResult, TxnResult } from "./results.js";
import { Transaction } from "./transaction.js";
import { checkPlan, checkPutTarget, planTxn } from "./txn-plan.js";

export interface MvccStoreOptions {
  /** How many made and ended keys are remembered for counts at older revisions; default limits.liveJournalEntriesMax. */
  readonly journalEntriesMax?: number;
}

export interface MvccStoreDeps {
  readonly log: RevisionLog;
  readonly leases: LeaseBook;
  readonly changes: ChangeSink;
}

/** Where a restored store stands. Both are stored beside the revisions, because a compaction may drop the newest. */
export interface RestoredRevisions {
  readonly revision: Revision;
  /** −1: never compacted. */
  readonly compactedRevision: Revision;
}

export class MvccStore {
  readonly index: KeyIndex;
  readonly log: RevisionLog;
  readonly leased: LeasedKeys;
  readonly counts = new OperationCounts();
  private readonly changes: ChangeSink;
  private currentRevision: Revision = 1;
  private compacted: Revision = -1;
  /** The compaction that the index is pruned for, and where that goes on; undefined: it is done. */
  private prunedRevision: Revision = -1;
  private pruneFrom: string | undefined;
  /** Only while stored records are added. */
  private restore: Restore | undefined;

  constructor(options: MvccStoreOptions, deps: MvccStoreDeps) {
    this.index = new KeyIndex({
      journalEntriesMax: options.journalEntriesMax ?? limits.liveJournalEntriesMax,
    });
    this.log = deps.log;
    this.leased = new LeasedKeys(deps.leases);
    this.changes = deps.changes;
  }

  /** Of the newest transaction that wrote; 1 for an empty store. */
  get revision(): Revision {
    return this.currentRevision;
  }

  /** Reads below it are refused; −1 (as clients see it in a hash) before the first compaction. */
  get compactedRevision(): Revision {
    return this.compacted;
  }

  /** Keys that exist now. */
  get keyCount(): number {
    return this.index.live;
  }

  /** Errors: LeaseNotFound, KeyNotFound (ignore_value, ignore_lease). */
  put(request: PutRequest): PutResult {
    checkPutTarget(this, request);
    const transaction = new Transaction(this);
    const result = transaction.put(request);
    this.end(transaction);
    return result;
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    const transaction = new Transaction(this);
    const result = transaction.deleteRange(request);
    this.end(transaction);
    return result;
  }

  /** Errors: Compacted, FutureRev, LeaseNotFound, KeyNotFound; then nothing was written. */
  txn(request: TxnRequest): TxnResult {
    const plan = planTxn(this, request);
    checkPlan(this, plan);
    const transaction = new Transaction(this);
    const result = transaction.run(plan);
    this.end(transaction);
    return result;
  }

  /**
   * Deletes what a lease leaves behind: all keys (latin1) in one revision, in key order; those that are gone are
   * passed over. Answers the store's revision after it.
   */
  deleteKeys(keys: Iterable<string>): Revision {
    const transaction = new Transaction(this);
    for (const key of [...keys].sort()) transaction.deleteKey(key);
    this.end(transaction);
    return this.currentRevision;
  }

  /** The whole range at once. Errors: Compacted, FutureRev. */
  range(request: RangeRequest): RangeResult {
    return readRange(this, request, this.revisionsOf(request));
  }

  /** The same in slices, at one revision. Errors: Compacted, FutureRev. */
  openRange(request: RangeRequest): RangeCursor {
    return new RangeCursor(this, request, this.revisionsOf(request));
  }

  /**
   * Makes `revision` the oldest that can be read, at once; the index is pruned by `pruneSlice` and the log by
   * whoever owns it, with `isAlive`. Errors: Compacted (at or below an earlier one), FutureRev.
   */
  compact(revision: Revision): void {
    if (revision <= this.compacted) throw storeError("Compacted");
    if (revision > this.currentRevision) throw storeError("FutureRev");
    this.compacted = revision;
  }

  /**
   * Prunes about limits.sliceKeysMax keys of the index for the compaction at `upTo`; true while there is more to
   * do. `upTo` is a compaction that is durable, and it only rises: a newer one may be decided meanwhile, but if
   * the process ends before that is durable, the store must still have all that the older one leaves.
   */
  pruneSlice(upTo: Revision): boolean {
    assert(upTo >= this.prunedRevision && upTo <= this.compacted, "compactions are carried out in order");
    if (upTo > this.prunedRevision) {
      this.prunedRevision = upTo;
      this.pruneFrom = "";
    }
    if (this.pruneFrom === undefined) return false;
    this.pruneFrom = this.index.prune(this.pruneFrom, upTo, limits.sliceKeysMax);
    return this.pruneFrom !== undefined;
  }

  /**
   * Whether the compaction at `upTo` must leave a stored revision: it is above it, or what a read at it sees. A
   * tombstone stays only at the compacted revision itself (as in etcd since 3.5.16), so that the watchers who
   * begin there learn of it. The answer does not depend on how far the index is pruned for `upTo`, or whether a
   * newer compaction was decided.
   */
  isAlive(record: RevisionRecord, upTo: Revision): boolean {
    assert(upTo >= this.prunedRevision, "the index still knows what a read at this revision sees");
    if (record.main > upTo) return true;
    if (record.tombstone && record.main < upTo) return false;
    const newest = this.index.newestUpTo(storedKey(record.keyValue), upTo);
    return newest !== undefined && newest.main === record.main && newest.sub === record.sub;
  }

  /** Adds stored records to a fresh store: all there are, in ascending order, over one or many calls. */
  restoreSlice(slice: RevisionSlice): void {
    this.restore ??= new Restore(this.index, this.leased);
    this.restore.take(slice);
  }

  /** Ends a restore. The leases are there already: the keys are attached to them now. */
  finishRestore({ revision, compactedRevision }: RestoredRevisions): void {
    this.restore?.finish();
    assert(revision >= (this.restore?.newestMain ?? 0), "no stored revision is newer than the store");
    assert(revision >= compactedRevision && revision >= 1, "a store is not behind its own compaction");
    this.restore = undefined;
    this.currentRevision = revision;
    this.compacted = compactedRevision;
    this.index.finishRestore(revision);
  }

  /**
   * Begins a hash of everything up to `revision` (0: the current one), to be fed with what the log holds.
   * Errors: Compacted (below the compacted revision), FutureRev.
   */
  openHash(revision: Revision): HashKv {
    if (revision > 0 && revision < this.compacted) throw storeError("Compacted");
    if (revision > this.currentRevision) throw storeError("FutureRev");
    return new HashKv(this, revision === 0 ? this.currentRevision : revision);
  }

  private revisionsOf({ revision }: RangeRequest): RangeRevisions {
    this.counts.ranges++;
    const current = this.currentRevision;
    if (revision > current) throw storeError("FutureRev");
    const atMain = revision > 0 ? revision : current;
    if (atMain < this.compacted) throw storeError("Compacted");
    return { atMain, current };
  }

  /** What a transaction wrote becomes the state. */
  private end({ changes, revision, operations }: Transaction): void {
    if (operations > 1) this.counts.transactions++;
    if (changes.length === 0) return;
    this.currentRevision = revision;
    this.changes.committed(revision, changes);
  }
}
