/**
 * The first half of a transaction, which only reads: which branches run, and whether everything in them can be
 * done. Nothing is written before all of it holds, so a transaction that fails leaves no trace.
 */
import type { LeaseId, Revision } from "../base/brand.js";
import { bytesToLatin1, compareBytes, emptyBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import type { RevisionLog } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { intervalOf } from "./key-interval.js";
import type { KeyRevision } from "./key-leaf.js";
import { storedLease, storedValue } from "./key-value.js";
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "./requests.js";

/** What a plan reads: the store as it is before the transaction. */
export interface TxnView {
  readonly index: KeyIndex;
  readonly log: RevisionLog;
  readonly leased: { exists(lease: LeaseId): boolean };
  readonly revision: Revision;
  readonly compactedRevision: Revision;
}

/** The branch of a transaction that runs, and in the order of its operations those of the transactions in it. */
export interface TxnPlan {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: readonly TxnPlan[];
}

/**
 * Chooses the branches. Compares of nested transactions too see the store as it was before the whole
 * transaction.
 */
export function planTxn(view: TxnView, request: TxnRequest): TxnPlan {
  const succeeded = request.compares.every((compare) => holds(view, compare));
  const ops = succeeded ? request.success : request.failure;
  const nested: TxnPlan[] = [];
  for (const op of ops) if (op.kind === "txn") nested.push(planTxn(view, op.request));
  return { succeeded, ops, nested };
}

/** Errors: FutureRev, Compacted, LeaseNotFound, KeyNotFound, of the first operation that has one. */
export function checkPlan(view: TxnView, plan: TxnPlan): void {
  let nested = 0;
  for (const op of plan.ops) {
    switch (op.kind) {
      case "range":
        checkRangeRevision(view, op.request);
        break;
      case "put":
        checkPutTarget(view, op.request);
        break;
      case "txn":
        checkPlan(view, plan.nested[nested++]!);
        break;
      case "deleteRange":
      case "none":
        break;
    }
  }
}

/** Errors: LeaseNotFound, then KeyNotFound. */
export function checkPutTarget(view: TxnView, request: PutRequest): void {
  if (request.lease !== 0n && !view.leased.exists(request.lease)) throw storeError("LeaseNotFound");
  if (!request.ignoreValue && !request.ignoreLease) return;
  if (view.index.get(bytesToLatin1(request.key), view.revision) === undefined)
    throw storeError("KeyNotFound");
}

function checkRangeRevision(view: TxnView, { revision }: RangeRequest): void {
  if (revision === 0) return;
  if (revision > view.revision) throw storeError("FutureRev");
  if (revision < view.compactedRevision) throw storeError("Compacted");
}

/** A compare over a range holds where it holds for every key in it. */
function holds(view: TxnView, compare: Compare): boolean {
  let compared = false;
  let result = true;
  view.index.visit(intervalOf(compare), view.revision, Number.POSITIVE_INFINITY, (_key, revision) => {
    compared = true;
    result = isAsked(compare.result, orderOf(view.log, compare, revision));
    return result;
  });
  if (compared) return result;
  // A key that is not there has zeros, but no value, not even an empty one.
  return compare.target !== CompareTarget.Value && isAsked(compare.result, orderOfMissing(compare));
}

/** Negative, zero or positive: how the key's field stands to the operand. */
function orderOf(log: RevisionLog, compare: Compare, revision: KeyRevision): number {
  switch (compare.target) {
    case CompareTarget.Version:
      return revision.version - numberOperand(compare, "version");
    case CompareTarget.Create:
      return revision.create - numberOperand(compare, "create");
    case CompareTarget.Mod:
      return revision.main - numberOperand(compare, "mod");
    case CompareTarget.Lease:
      return orderOfLeases(storedLease(log.read(revision.main, revision.sub)), leaseOperand(compare));
    case CompareTarget.Value:
      return compareBytes(storedValue(log.read(revision.main, revision.sub)), valueOperand(compare));
    default:
      return 0;
  }
}

function orderOfMissing(compare: Compare): number {
  switch (compare.target) {
    case CompareTarget.Version:
      return -numberOperand(compare, "version");
    case CompareTarget.Create:
      return -numberOperand(compare, "create");
    case CompareTarget.Mod:
      return -numberOperand(compare, "mod");
    case CompareTarget.Lease:
      return orderOfLeases(0n, leaseOperand(compare));
    default:
      return 0;
  }
}

function numberOperand({ operand }: Compare, kind: "version" | "create" | "mod"): number {
  return operand?.kind === kind ? operand.value : 0;
}

function leaseOperand({ operand }: Compare): LeaseId {
  return operand?.kind === "lease" ? operand.value : 0n;
}

function valueOperand({ operand }: Compare): Uint8Array {
  return operand?.kind === "value" ? operand.value : emptyBytes;
}

function orderOfLeases(a: LeaseId, b: LeaseId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isAsked(result: number, order: number): boolean {
  switch (result) {
    case CompareResult.Equal:
      return order === 0;
    case CompareResult.NotEqual:
      return order !== 0;
    case CompareResult.Greater:
      return order > 0;
    case CompareResult.Less:
      return order < 0;
    default:
      return true;
  }
}
