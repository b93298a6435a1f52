/**
 * What can be said against a request without looking at the store, in the order in which etcd says it. Each
 * function throws the StoreError that the client gets. A request that passed may be put in the log.
 */
import { bytesToLatin1 } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "./requests.js";
import { SortOrder, SortTarget } from "./requests.js";

/** Errors: EmptyKey, InvalidSortOption. */
export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw storeError("EmptyKey");
  if (request.sortOrder > SortOrder.Descend) throw storeError("InvalidSortOption");
  if (request.sortTarget > SortTarget.Value) throw storeError("InvalidSortOption");
}

/** Errors: EmptyKey, ValueProvided, LeaseProvided. */
export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw storeError("EmptyKey");
  if (request.ignoreValue && request.value.length !== 0) throw storeError("ValueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw storeError("LeaseProvided");
}

/** Errors: EmptyKey. */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw storeError("EmptyKey");
}

/**
 * Errors: TooManyOps, EmptyKey, KeyNotFound (an operation with nothing in it), those of the operations inside,
 * DuplicateKey. `opsMax` bounds the longest list of a transaction plus that of those nested in it.
 */
export function checkTxn(request: TxnRequest, opsMax: number): void {
  checkTxnShape(request, opsMax);
  writesOf(request.success);
  writesOf(request.failure);
}

/** True where no operation can write; a nested transaction counts as one that might, as in etcd. */
export function isTxnReadOnly(request: TxnRequest): boolean {
  return request.success.every(isRange) && request.failure.every(isRange);
}

/**
 * True where there are operations, and every one is a range that asks for local state only. (For etcd a transaction of
 * comparisons alone is one too, though nobody asked for that: "am I still the owner?" may be answered from the past.)
 */
export function isTxnSerializable({ success, failure }: TxnRequest): boolean {
  const operations = [...success, ...failure];
  return operations.length > 0 && operations.every(isSerializableRange);
}

function isRange(op: RequestOp): boolean {
  return op.kind === "range";
}

function isSerializableRange(op: RequestOp): boolean {
  return op.kind === "range" && op.request.serializable;
}

/** True where etcd reads only as many keys as `limit` says: in key order, or with order None whatever the target. */
export function isDefaultOrdering(request: RangeRequest): boolean {
  return (
    request.sortOrder === SortOrder.None ||
    (request.sortTarget === SortTarget.Key && request.sortOrder === SortOrder.Ascend)
  );
}

export function hasRevisionFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function checkTxnShape(request: TxnRequest, opsMax: number): void {
  const ops = Math.max(request.compares.length, request.success.length, request.failure.length);
  if (ops > opsMax) throw storeError("TooManyOps");
  for (const compare of request.compares) {
    if (compare.key.length === 0) throw storeError("EmptyKey");
  }
  for (const op of request.success) checkOp(op, opsMax - ops);
  for (const op of request.failure) checkOp(op, opsMax - ops);
}

function checkOp(op: RequestOp, opsMax: number): void {
  switch (op.kind) {
    case "range":
      checkRange(op.request);
      break;
    case "put":
      checkPut(op.request);
      break;
    case "deleteRange":
      checkDeleteRange(op.request);
      break;
    case "txn":
      checkTxnShape(op.request, opsMax);
      break;
    case "none":
      throw storeError("KeyNotFound");
  }
}

/** What a branch may write, nested transactions counted with both their branches. */
interface BranchWrites {
  readonly puts: Set<string>;
  readonly deletes: DeletedSpans;
}

/**
 * Refuses a branch that writes a key twice. The two branches of one nested transaction exclude each other, so
 * both may put the same key. The order is etcd's, which makes one gap that clients can see: a delete nested in
 * a later transaction is not held against a put nested in an earlier one.
 */
function writesOf(ops: readonly RequestOp[]): BranchWrites {
  const deletes = new DeletedSpans();
  const puts = new Set<string>();
  for (const op of ops) {
    if (op.kind !== "deleteRange") continue;
    deletes.add(bytesToLatin1(op.request.key), bytesToLatin1(op.request.rangeEnd));
  }
  for (const op of ops) {
    if (op.kind !== "txn") continue;
    const success = writesOf(op.request.success);
    const failure = writesOf(op.request.failure);
    for (const key of success.puts) {
      if (puts.has(key) || deletes.has(key)) throw storeError("DuplicateKey");
      puts.add(key);
    }
    for (const key of failure.puts) {
      if (puts.has(key) && !success.puts.has(key)) throw storeError("DuplicateKey");
      if (deletes.has(key)) throw storeError("DuplicateKey");
      puts.add(key);
    }
    deletes.addAll(success.deletes);
    deletes.addAll(failure.deletes);
  }
  for (const op of ops) {
    if (op.kind !== "put") continue;
    const key = bytesToLatin1(op.request.key);
    if (puts.has(key) || deletes.has(key)) throw storeError("DuplicateKey");
    puts.add(key);
  }
  return { puts, deletes };
}

interface Span {
  readonly start: string;
  readonly end: string;
}

/**
 * Spans of deleted keys, kept disjoint and sorted so that a request full of deletes and puts costs n log n and
 * not n². A span to the one byte 0 ("every key from here on") is taken at its word here, as etcd does: its end
 * is below its start, it holds nothing, and such a delete may stand beside a put.
 */
class DeletedSpans {
  private readonly points = new Set<string>();
  /** Disjoint, ascending. */
  private merged: Span[] = [];
  /** Added since `merged` was made. */
  private added: Span[] = [];

  add(start: string, end: string): void {
    if (end === "") this.points.add(start);
    else if (end > start) this.added.push({ start, end });
  }

  addAll(other: DeletedSpans): void {
    for (const point of other.points) this.points.add(point);
    for (const span of other.merged) this.added.push(span);
    for (const span of other.added) this.added.push(span);
  }

  has(key: string): boolean {
    if (this.points.has(key)) return true;
    if (this.added.length > 0) this.merge();
    let low = 0;
    let high = this.merged.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.merged[middle]!.start <= key) low = middle + 1;
      else high = middle;
    }
    return low > 0 && key < this.merged[low - 1]!.end;
  }

  private merge(): void {
    const all = this.merged.concat(this.added);
    all.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    const merged: Span[] = [];
    for (const span of all) {
      const last = merged[merged.length - 1];
      if (last === undefined || last.end < span.start) merged.push(span);
      else if (last.end < span.end) merged[merged.length - 1] = { start: last.start, end: span.end };
    }
    this.merged = merged;
    this.added = [];
  }
}
