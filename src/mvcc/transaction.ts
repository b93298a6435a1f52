/**
 * The writes of one main revision: each takes the next sub-revision, is seen by the reads after it, and all
 * become the store's state together when the transaction ends. Whoever opens one has checked everything before:
 * from here on nothing can be refused.
 */
import type { Revision } from "../base/brand.js";
import { bytesToLatin1, latin1ToBytes } from "../base/bytes.js";
import type { Change } from "./changes.js";
import type { RevisionLog } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { intervalOf } from "./key-interval.js";
import { encodeDeleted, encodeKeyValue, encodeTombstone, storedLease, storedValue } from "./key-value.js";
import type { LeasedKeys } from "./leased-keys.js";
import type { OperationCounts } from "./operation-counts.js";
import { type RangeSource, readRange } from "./range-cursor.js";
import type { DeleteRangeRequest, PutRequest, RangeRequest } from "./requests.js";
import type { DeleteRangeResult, PutResult, RangeResult, ResponseOp, TxnResult } from "./results.js";
import type { TxnPlan } from "./txn-plan.js";

export interface TransactionSource extends RangeSource {
  readonly index: KeyIndex;
  readonly log: RevisionLog;
  readonly leased: LeasedKeys;
  readonly counts: OperationCounts;
  /** The store's revision before the transaction. */
  readonly revision: Revision;
}

export class Transaction {
  private written: Change[] = noChanges;
  private readonly begin: Revision;
  /** Reads and writes so far. */
  operations = 0;

  constructor(private readonly source: TransactionSource) {
    this.begin = source.revision;
  }

  /** In order of sub-revision. */
  get changes(): readonly Change[] {
    return this.written;
  }

  /** The revision that reads see and answers name: the next one as soon as something was written. */
  get revision(): Revision {
    return this.written.length > 0 ? this.begin + 1 : this.begin;
  }

  range(request: RangeRequest): RangeResult {
    this.operations++;
    this.source.counts.ranges++;
    const current = this.revision;
    const atMain = request.revision > 0 ? request.revision : current;
    return readRange(this.source, request, { atMain, current });
  }

  put(request: PutRequest): PutResult {
    const { index, log, leased } = this.source;
    const key = bytesToLatin1(request.key);
    const main = this.begin + 1;
    const sub = this.written.length;
    const previous = index.put(key, main, sub);
    const wantsPrevious = request.prevKv || request.ignoreValue || request.ignoreLease;
    const before =
      wantsPrevious && previous !== undefined ? log.read(previous.main, previous.sub) : undefined;
    const lease = request.ignoreLease && before !== undefined ? storedLease(before) : request.lease;
    const keyValue = encodeKeyValue({
      key: request.key,
      createRevision: previous?.create ?? main,
      modRevision: main,
      version: (previous?.version ?? 0) + 1,
      value: request.ignoreValue && before !== undefined ? storedValue(before) : request.value,
      lease,
    });
    log.append(main, sub, false, keyValue);
    leased.move(key, lease);
    const isCreate = previous === undefined;
    this.operations++;
    this.source.counts.puts++;
    this.source.counts.putBytes += request.key.length + request.value.length;
    this.record({ kind: "put", key, keyValue, main, sub, previous, isCreate });
    return { revision: main, prevKv: request.prevKv ? before : undefined };
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    this.operations++;
    this.source.counts.deletes++;
    const { index, log } = this.source;
    const keys: string[] = [];
    const prevKvs: Uint8Array[] = [];
    index.visit(intervalOf(request), this.revision, Number.POSITIVE_INFINITY, (key, { main, sub }) => {
      keys.push(key);
      if (request.prevKv) prevKvs.push(log.read(main, sub));
      return true;
    });
    for (const key of keys) this.delete(key);
    return { deleted: keys.length, prevKvs, revision: this.revision };
  }

  /** Deletes one key; one that is not there is passed over. */
  deleteKey(key: string): void {
    this.operations++;
    this.source.counts.deletes++;
    if (this.source.index.get(key, this.revision) !== undefined) this.delete(key);
  }

  /** Runs a plan that was checked against the store as it was at the beginning. */
  run(plan: TxnPlan): TxnResult {
    const responses = this.runOps(plan);
    return { succeeded: plan.succeeded, responses, revision: this.revision };
  }

  private runOps(plan: TxnPlan): readonly ResponseOp[] {
    const responses: ResponseOp[] = [];
    let nested = 0;
    for (const op of plan.ops) {
      switch (op.kind) {
        case "range":
          responses.push({ kind: "range", result: this.range(op.request) });
          break;
        case "put":
          responses.push({ kind: "put", result: this.put(op.request) });
          break;
        case "deleteRange":
          responses.push({ kind: "deleteRange", result: this.deleteRange(op.request) });
          break;
        case "txn":
          responses.push({ kind: "txn", result: this.run(plan.nested[nested++]!) });
          break;
        case "none":
          responses.push({ kind: "none" });
          break;
      }
    }
    return responses;
  }

  private delete(key: string): void {
    const { index, log, leased } = this.source;
    const main = this.begin + 1;
    const sub = this.written.length;
    const previous = index.tombstone(key, main, sub);
    const keyBytes = latin1ToBytes(key);
    log.append(main, sub, true, encodeTombstone(keyBytes));
    leased.move(key, 0n);
    const keyValue = encodeDeleted(keyBytes, main);
    this.record({ kind: "delete", key, keyValue, main, sub, previous, isCreate: false });
  }

  /** Most transactions write once: a list that begins with its first element takes no room for more. */
  private record(change: Change): void {
    if (this.written === noChanges) this.written = [change];
    else this.written.push(change);
  }
}

/** Never written to. */
const noChanges: Change[] = [];
