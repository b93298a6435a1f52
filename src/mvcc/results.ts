/**
 * What the store answers. A key-value pair is given as the protobuf bytes of mvccpb.KeyValue just as they are
 * stored: whoever encodes an answer carries them, whoever needs a field reads it with key-value.ts. The bytes
 * are shared and never written to.
 */
import type { Revision } from "../base/brand.js";

export interface RangeResult {
  readonly kvs: readonly Uint8Array[];
  /** True where `limit` cut the answer. */
  readonly more: boolean;
  /** All keys of the range at the revision read, whatever limit and filters. */
  readonly count: number;
  /** The store's revision when it answered (inside a transaction: with the writes before it). */
  readonly revision: Revision;
}

export interface PutResult {
  /** The revision of the put. */
  readonly revision: Revision;
  /** The pair before it, where it was asked for and there was one. */
  readonly prevKv: Uint8Array | undefined;
}

export interface DeleteRangeResult {
  readonly deleted: number;
  /** The deleted pairs in key order, where they were asked for. */
  readonly prevKvs: readonly Uint8Array[];
  /** The revision of the delete; the store's where nothing was deleted. */
  readonly revision: Revision;
}

export type ResponseOp =
  | { readonly kind: "range"; readonly result: RangeResult }
  | { readonly kind: "put"; readonly result: PutResult }
  | { readonly kind: "deleteRange"; readonly result: DeleteRangeResult }
  | { readonly kind: "txn"; readonly result: TxnResult }
  | { readonly kind: "none" };

export interface TxnResult {
  readonly succeeded: boolean;
  /** One for each operation of the branch that ran. */
  readonly responses: readonly ResponseOp[];
  /** The store's revision after the whole transaction. */
  readonly revision: Revision;
}
