/**
 * The requests of the KV service as the store understands them. Keys, range ends and values are the bytes that
 * the client sent (they may share memory with its message), revisions and limits are safe integers, lease ids
 * are bigints. Enum numbers that no enum has are carried as they came: checks.ts refuses what must be refused.
 */
import type { LeaseId, Revision } from "../base/brand.js";

/** etcdserverpb.RangeRequest.SortOrder */
export const SortOrder = { None: 0, Ascend: 1, Descend: 2 } as const;
/** etcdserverpb.RangeRequest.SortTarget */
export const SortTarget = { Key: 0, Version: 1, Create: 2, Mod: 3, Value: 4 } as const;
/** etcdserverpb.Compare.CompareResult */
export const CompareResult = { Equal: 0, Greater: 1, Less: 2, NotEqual: 3 } as const;
/** etcdserverpb.Compare.CompareTarget */
export const CompareTarget = { Version: 0, Create: 1, Mod: 2, Value: 3, Lease: 4 } as const;

/**
 * Which keys: `rangeEnd` empty means `key` alone, the one byte 0 means every key from `key` on, anything else
 * every key from `key` (included) to `rangeEnd` (excluded).
 */
export interface KeySpan {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export interface RangeRequest extends KeySpan {
  /** Keys to answer at most; 0 or less: all. */
  readonly limit: number;
  /** The revision to read at; 0 or less: the current one. */
  readonly revision: Revision;
  readonly sortOrder: number;
  readonly sortTarget: number;
  /** The local state will do. The store does not look at it. */
  readonly serializable: boolean;
  /** Answer keys, revisions and versions, but neither values nor (unless sorted by value) leases. */
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  /** Filters on the answer, not on its count; 0: no filter. Bounds are included. */
  readonly minModRevision: Revision;
  readonly maxModRevision: Revision;
  readonly minCreateRevision: Revision;
  readonly maxCreateRevision: Revision;
}

/** All there are of some keys, as they are now: what a client gets that asks for nothing else. */
export const wholeRange: Omit<RangeRequest, keyof KeySpan> = {
  limit: 0,
  revision: 0,
  sortOrder: SortOrder.None,
  sortTarget: SortTarget.Key,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** 0: no lease. */
  readonly lease: LeaseId;
  readonly prevKv: boolean;
  /** Keep the value that the key has; the key must exist. */
  readonly ignoreValue: boolean;
  /** Keep the lease that the key has; the key must exist. */
  readonly ignoreLease: boolean;
}

export interface DeleteRangeRequest extends KeySpan {
  readonly prevKv: boolean;
}

/** What a compare holds the key's field against. One that is of another kind than the target counts as zero. */
export type CompareOperand =
  | { readonly kind: "version" | "create" | "mod"; readonly value: number }
  | { readonly kind: "value"; readonly value: Uint8Array }
  | { readonly kind: "lease"; readonly value: LeaseId };

export interface Compare extends KeySpan {
  readonly result: number;
  readonly target: number;
  /** Undefined where the client set none: zero, or no bytes. */
  readonly operand: CompareOperand | undefined;
}

export type RequestOp =
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "deleteRange"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  /** An operation with nothing in it. checks.ts refuses it; one that is in the log all the same does nothing. */
  | { readonly kind: "none" };

export interface TxnRequest {
  /** All must hold for `success` to run, else `failure` runs. */
  readonly compares: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface CompactionRequest {
  readonly revision: Revision;
  /** Answer only when the space is free. The store does not look at it. */
  readonly physical: boolean;
}
