/** Requests of the KV service from what a caller writes; used alone and as parts of a transaction. */
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
} from "../gen/etcdserver.js";
import { type BytesLike, type IntegerLike, type RangeOptions, toBytes, toKeyRange } from "./bytes.js";

export interface GetOptions extends RangeOptions {
  /** At most so many keys come back; 0, the default, means no limit. `more` then says that there were more. */
  readonly limit?: IntegerLike | undefined;
  /** Read the store as it was at this revision; default: now. Errors: compacted, or in the future (OutOfRange). */
  readonly revision?: IntegerLike | undefined;
  /** Default: by key, ascending, which costs nothing. */
  readonly sortBy?: "key" | "version" | "create" | "mod" | "value" | undefined;
  readonly order?: "ascend" | "descend" | undefined;
  /** Answered by the member asked from what it has: quick, also without a leader, perhaps behind. */
  readonly serializable?: boolean | undefined;
  readonly keysOnly?: boolean | undefined;
  readonly countOnly?: boolean | undefined;
  /** Only keys last changed, or created, at or above/below these revisions. `count` still counts all. */
  readonly minModRevision?: IntegerLike | undefined;
  readonly maxModRevision?: IntegerLike | undefined;
  readonly minCreateRevision?: IntegerLike | undefined;
  readonly maxCreateRevision?: IntegerLike | undefined;
}

export interface PutOptions {
  /** Attach the key to this lease; 0, the default: to none. */
  readonly lease?: IntegerLike | undefined;
  /** Return what the key held before. */
  readonly prevKv?: boolean | undefined;
  /** Keep the value that the key has (give an empty one); the key must exist. */
  readonly ignoreValue?: boolean | undefined;
  /** Keep the lease that the key has; the key must exist. */
  readonly ignoreLease?: boolean | undefined;
}

export interface DeleteOptions extends RangeOptions {
  /** Return what was deleted. */
  readonly prevKv?: boolean | undefined;
}

const sortTargets = {
  key: RangeRequest_SortTarget.KEY,
  version: RangeRequest_SortTarget.VERSION,
  create: RangeRequest_SortTarget.CREATE,
  mod: RangeRequest_SortTarget.MOD,
  value: RangeRequest_SortTarget.VALUE,
} as const;

const sortOrders = {
  ascend: RangeRequest_SortOrder.ASCEND,
  descend: RangeRequest_SortOrder.DESCEND,
} as const;

export function rangeRequest(key: BytesLike, options: GetOptions): RangeRequest {
  const big = (value: IntegerLike | undefined): bigint => BigInt(value ?? 0);
  return {
    ...toKeyRange(key, options),
    limit: big(options.limit),
    revision: big(options.revision),
    sortOrder: options.order === undefined ? RangeRequest_SortOrder.NONE : sortOrders[options.order],
    sortTarget: sortTargets[options.sortBy ?? "key"],
    serializable: options.serializable === true,
    keysOnly: options.keysOnly === true,
    countOnly: options.countOnly === true,
    minModRevision: big(options.minModRevision),
    maxModRevision: big(options.maxModRevision),
    minCreateRevision: big(options.minCreateRevision),
    maxCreateRevision: big(options.maxCreateRevision),
  };
}

export function putRequest(key: BytesLike, value: BytesLike, options: PutOptions): PutRequest {
  return {
    key: toBytes(key),
    value: toBytes(value),
    lease: BigInt(options.lease ?? 0),
    prevKv: options.prevKv === true,
    ignoreValue: options.ignoreValue === true,
    ignoreLease: options.ignoreLease === true,
  };
}

export function deleteRequest(key: BytesLike, options: DeleteOptions): DeleteRangeRequest {
  return { ...toKeyRange(key, options), prevKv: options.prevKv === true };
}

/** A read, as one operation of a transaction; it sees the writes before it in the same branch. */
export function get(key: BytesLike, options: GetOptions = {}): RequestOp {
  return { request: { $case: "requestRange", value: rangeRequest(key, options) } };
}

/** A write, as one operation of a transaction. A branch may put a key only once. */
export function put(key: BytesLike, value: BytesLike, options: PutOptions = {}): RequestOp {
  return { request: { $case: "requestPut", value: putRequest(key, value, options) } };
}

/** A deletion, as one operation of a transaction. */
export function del(key: BytesLike, options: DeleteOptions = {}): RequestOp {
  return { request: { $case: "requestDeleteRange", value: deleteRequest(key, options) } };
}

export type CompareOperator = "=" | "!=" | ">" | "<";

const compareResults: Readonly<Record<CompareOperator, Compare_CompareResult>> = {
  "=": Compare_CompareResult.EQUAL,
  "!=": Compare_CompareResult.NOT_EQUAL,
  ">": Compare_CompareResult.GREATER,
  "<": Compare_CompareResult.LESS,
};

/**
 * A condition of a transaction. A missing key compares as version, create and mod revision and lease 0, and
 * every compare of its value is false. Over a range (`options`), every key in it must satisfy the condition.
 */
export function compare(
  key: BytesLike,
  target: "version" | "create" | "mod" | "lease",
  operator: CompareOperator,
  expected: IntegerLike,
  options?: RangeOptions,
): Compare;
export function compare(
  key: BytesLike,
  target: "value",
  operator: CompareOperator,
  expected: BytesLike,
  options?: RangeOptions,
): Compare;
export function compare(
  key: BytesLike,
  target: "version" | "create" | "mod" | "lease" | "value",
  operator: CompareOperator,
  expected: IntegerLike | BytesLike,
  options: RangeOptions = {},
): Compare {
  const base = { ...toKeyRange(key, options), result: compareResults[operator] };
  if (target === "value") {
    const targetUnion = { $case: "value" as const, value: toBytes(expected as BytesLike) };
    return { ...base, target: Compare_CompareTarget.VALUE, targetUnion };
  }
  const value = BigInt(expected as IntegerLike);
  switch (target) {
    case "version":
      return { ...base, target: Compare_CompareTarget.VERSION, targetUnion: { $case: "version", value } };
    case "create":
      return {
        ...base,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { $case: "createRevision", value },
      };
    case "mod":
      return { ...base, target: Compare_CompareTarget.MOD, targetUnion: { $case: "modRevision", value } };
    case "lease":
      return { ...base, target: Compare_CompareTarget.LEASE, targetUnion: { $case: "lease", value } };
  }
}
