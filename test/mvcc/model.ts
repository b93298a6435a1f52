/**
 * The store as the simplest thing that could be right: a list of all writes, searched from one end to the other.
 * It knows compaction only as a bound on reads, so whatever a real compaction loses shows.
 */
import type { LeaseId } from "../../src/base/brand.js";
import { storeError } from "../../src/base/errors.js";
import type {
  Compare,
  DeleteRangeRequest,
  KeySpan,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../src/mvcc/requests.js";

export interface ModelPair {
  readonly key: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly value: string;
  readonly lease: LeaseId;
}

/** A write: what the key is from `main`.`sub` on; undefined: deleted. */
export interface ModelWrite {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly pair: ModelPair | undefined;
}

export type ModelResponse =
  | {
      readonly kind: "range";
      readonly kvs: readonly ModelPair[];
      readonly count: number;
      readonly more: boolean;
    }
  | { readonly kind: "put"; readonly prevKv: ModelPair | undefined }
  | { readonly kind: "deleteRange"; readonly deleted: number; readonly prevKvs: readonly ModelPair[] }
  | { readonly kind: "txn"; readonly succeeded: boolean; readonly responses: readonly ModelResponse[] };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export class Model {
  readonly writes: ModelWrite[] = [];
  readonly leases = new Set<LeaseId>();
  revision = 1;
  compacted = -1;
  private pending: ModelWrite[] = [];

  /** Pairs that exist at `main`, in key order, pending writes included when they are that new. */
  at(main: number): ModelPair[] {
    const pairs = new Map<string, ModelPair>();
    for (const write of [...this.writes, ...this.pending]) {
      if (write.main > main) continue;
      if (write.pair === undefined) pairs.delete(write.key);
      else pairs.set(write.key, write.pair);
    }
    return [...pairs.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  range(request: RangeRequest): ModelResponse {
    this.checkRevision(request.revision);
    return this.readRange(request);
  }

  put(request: PutRequest): ModelResponse {
    this.checkPut(request);
    return this.commit(() => this.applyPut(request));
  }

  deleteRange(request: DeleteRangeRequest): ModelResponse {
    return this.commit(() => this.applyDelete(request));
  }

  deleteKeys(keys: readonly string[]): void {
    this.commit(() => {
      for (const key of [...keys].sort()) {
        this.applyDelete({ key: Buffer.from(key, "latin1"), rangeEnd: Buffer.alloc(0), prevKv: false });
      }
    });
  }

  txn(request: TxnRequest): ModelResponse {
    const before = this.at(this.revision);
    const check = (transaction: TxnRequest): void => {
      for (const op of branchOf(transaction, before)) {
        if (op.kind === "put") this.checkPut(op.request);
        if (op.kind === "range" && op.request.revision !== 0) {
          // Unlike a range on its own, one in a transaction takes a negative revision for an old one.
          if (op.request.revision < this.compacted) throw storeError("Compacted");
          this.checkRevision(op.request.revision);
        }
        if (op.kind === "txn") check(op.request);
      }
    };
    check(request);
    return this.commit(() => this.applyTxn(request, before));
  }

  compact(revision: number): void {
    if (revision <= this.compacted) throw storeError("Compacted");
    if (revision > this.revision) throw storeError("FutureRev");
    this.compacted = revision;
  }

  private get now(): number {
    return this.revision + (this.pending.length > 0 ? 1 : 0);
  }

  private commit<Result>(run: () => Result): Result {
    const result = run();
    if (this.pending.length > 0) this.revision++;
    this.writes.push(...this.pending);
    this.pending = [];
    return result;
  }

  private checkRevision(revision: number): void {
    if (revision > this.revision) throw storeError("FutureRev");
    if (revision > 0 && revision < this.compacted) throw storeError("Compacted");
  }

  private checkPut(request: PutRequest): void {
    if (request.lease !== 0n && !this.leases.has(request.lease)) throw storeError("LeaseNotFound");
    if (!request.ignoreLease && !request.ignoreValue) return;
    if (!this.at(this.revision).some((pair) => pair.key === text(request.key)))
      throw storeError("KeyNotFound");
  }

  private readRange(request: RangeRequest): ModelResponse {
    const all = this.at(request.revision > 0 ? request.revision : this.now).filter((pair) =>
      inSpan(pair, request),
    );
    const count = all.length;
    if (request.countOnly) return { kind: "range", kvs: [], count, more: false };
    const { limit, sortTarget, sortOrder } = request;
    let kvs = all.filter((pair) => passes(pair, request));
    const filtered = [request.minModRevision, request.maxModRevision].some((bound) => bound !== 0);
    const filteredToo = [request.minCreateRevision, request.maxCreateRevision].some((bound) => bound !== 0);
    // etcd's answer with a target and no order: only the first limit + 1 keys are looked at.
    if (sortOrder === 0 && limit > 0 && !filtered && !filteredToo) kvs = kvs.slice(0, limit + 1);
    const field = (["key", "version", "create", "mod", "value"] as const)[sortTarget]!;
    const sign = sortOrder === 2 ? -1 : 1;
    kvs.sort((a, b) => (a[field] < b[field] ? -sign : a[field] > b[field] ? sign : 0));
    const more = limit > 0 && kvs.length > limit;
    if (more) kvs = kvs.slice(0, limit);
    if (request.keysOnly) {
      kvs = kvs.map((pair) => ({ ...pair, value: "", lease: sortTarget === 4 ? pair.lease : 0n }));
    }
    return { kind: "range", kvs, count, more };
  }

  private applyPut(request: PutRequest): ModelResponse {
    const key = text(request.key);
    const before = this.at(this.now).find((pair) => pair.key === key);
    const main = this.revision + 1;
    const pair: ModelPair = {
      key,
      create: before?.create ?? main,
      mod: main,
      version: (before?.version ?? 0) + 1,
      value: request.ignoreValue && before !== undefined ? before.value : text(request.value),
      lease: request.ignoreLease && before !== undefined ? before.lease : request.lease,
    };
    this.pending.push({ main, sub: this.pending.length, key, pair });
    return { kind: "put", prevKv: request.prevKv ? before : undefined };
  }

  private applyDelete(request: DeleteRangeRequest): ModelResponse {
    const doomed = this.at(this.now).filter((pair) => inSpan(pair, request));
    const main = this.revision + 1;
    for (const { key } of doomed) this.pending.push({ main, sub: this.pending.length, key, pair: undefined });
    return { kind: "deleteRange", deleted: doomed.length, prevKvs: request.prevKv ? doomed : [] };
  }

  private applyTxn(request: TxnRequest, before: readonly ModelPair[]): ModelResponse {
    const responses: ModelResponse[] = [];
    for (const op of branchOf(request, before)) {
      if (op.kind === "range") responses.push(this.readRange(op.request));
      else if (op.kind === "put") responses.push(this.applyPut(op.request));
      else if (op.kind === "deleteRange") responses.push(this.applyDelete(op.request));
      else if (op.kind === "txn") responses.push(this.applyTxn(op.request, before));
    }
    return { kind: "txn", succeeded: succeeds(request, before), responses };
  }
}

function inSpan(pair: ModelPair, span: KeySpan): boolean {
  const key = text(span.key);
  const end = text(span.rangeEnd);
  if (end === "") return pair.key === key;
  return pair.key >= key && (end === "\0" || pair.key < end);
}

function passes(pair: ModelPair, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (minModRevision === 0 || pair.mod >= minModRevision) &&
    (maxModRevision === 0 || pair.mod <= maxModRevision) &&
    (minCreateRevision === 0 || pair.create >= minCreateRevision) &&
    (maxCreateRevision === 0 || pair.create <= maxCreateRevision)
  );
}

function branchOf(request: TxnRequest, pairs: readonly ModelPair[]): readonly RequestOp[] {
  return succeeds(request, pairs) ? request.success : request.failure;
}

function succeeds(request: TxnRequest, pairs: readonly ModelPair[]): boolean {
  return request.compares.every((compare) => {
    const found = pairs.filter((pair) => inSpan(pair, compare));
    if (found.length > 0) return found.every((pair) => fits(compare, fieldOf(compare.target, pair)));
    return compare.target !== 3 && fits(compare, fieldOf(compare.target, undefined));
  });
}

function fieldOf(target: number, pair: ModelPair | undefined): string | number | bigint {
  if (target === 3) return pair?.value ?? "";
  if (target === 4) return pair?.lease ?? 0n;
  return (target === 0 ? pair?.version : target === 1 ? pair?.create : pair?.mod) ?? 0;
}

function fits(compare: Compare, field: string | number | bigint): boolean {
  const given = compare.operand?.value ?? 0;
  const operand = given instanceof Uint8Array ? text(given) : given;
  if (compare.result === 0) return field === operand;
  if (compare.result === 1) return field > operand;
  if (compare.result === 2) return field < operand;
  return field !== operand;
}
