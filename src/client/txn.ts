/** A transaction, written as a sentence: if these hold then do this else that, and commit. */
import type { Compare, RequestOp, TxnRequest, TxnResponse } from "../gen/etcdserver.js";
import type { CallOptions } from "./options.js";

/** Sends a finished transaction; a `Kv` gives it. */
export type CommitTxn = (request: TxnRequest, options: CallOptions) => Promise<TxnResponse>;

/**
 * `await client.txn().if(compare("k", "version", "=", 0)).then(put("k", "v")).else(get("k")).commit()`
 *
 * Each part may be given several times, which adds to it. At most 128 operations in all (the server's
 * --max-txn-ops). Nothing is sent before `commit`.
 */
export class TxnBuilder {
  private readonly compares: Compare[] = [];
  private readonly success: RequestOp[] = [];
  private readonly failure: RequestOp[] = [];

  constructor(private readonly send: CommitTxn) {}

  /** Conditions that must all hold; none at all counts as holding. */
  if(...compares: readonly Compare[]): this {
    this.compares.push(...compares);
    return this;
  }

  /** What happens when the conditions hold. */
  // biome-ignore lint/suspicious/noThenProperty: the word of etcd's own clients; awaiting a builder is refused below.
  then(...operations: readonly RequestOp[]): this {
    if (operations.some((operation) => typeof operation === "function")) {
      throw new TypeError("a transaction was awaited before it was committed: end it with .commit()");
    }
    this.success.push(...operations);
    return this;
  }

  /** What happens when they do not. */
  else(...operations: readonly RequestOp[]): this {
    this.failure.push(...operations);
    return this;
  }

  /** This transaction as an operation of another one. */
  asOperation(): RequestOp {
    return { request: { $case: "requestTxn", value: this.request() } };
  }

  /**
   * Sends it. `succeeded` says which branch ran, `responses` has one answer for each of its operations. Never
   * sent twice: see `QuorateClientError.mayHaveBeenApplied`.
   */
  commit(options: CallOptions = {}): Promise<TxnResponse> {
    return this.send(this.request(), options);
  }

  private request(): TxnRequest {
    return { compare: [...this.compares], success: [...this.success], failure: [...this.failure] };
  }
}
