/** The KV service: reading and writing keys. */
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  type TxnRequest,
  TxnResponse,
} from "../gen/etcdserver.js";
import type { BytesLike, IntegerLike } from "./bytes.js";
import type { Connection } from "./connection.js";
import { type ClientMethod, clientMethod } from "./method.js";
import {
  type DeleteOptions,
  deleteRequest,
  type GetOptions,
  type PutOptions,
  putRequest,
  rangeRequest,
} from "./operation.js";
import type { CallOptions } from "./options.js";
import { TxnBuilder } from "./txn.js";
import { encodeTxnRequest } from "./txn-codec.js";

const service = "/etcdserverpb.KV";
const rangeMethod = clientMethod(`${service}/Range`, "read", RangeRequest, RangeResponse);
const streamMethod = clientMethod(`${service}/RangeStream`, "read", RangeRequest, RangeStreamResponse);
const putMethod = clientMethod(`${service}/Put`, "write", PutRequest, PutResponse);
const deleteMethod = clientMethod(`${service}/DeleteRange`, "write", DeleteRangeRequest, DeleteRangeResponse);
const compactMethod = clientMethod(`${service}/Compact`, "write", CompactionRequest, CompactionResponse);
const txnMethod: ClientMethod<TxnRequest, TxnResponse> = {
  path: `${service}/Txn`,
  repeatable: false,
  encode: encodeTxnRequest,
  decode: (bytes) => TxnResponse.decode(bytes),
};

export interface CompactOptions extends CallOptions {
  /** Answer when the space of old revisions was freed, not when the compaction was decided. */
  readonly physical?: boolean | undefined;
}

export class Kv {
  constructor(private readonly connection: Connection) {}

  /**
   * Reads a key or a range. Linearizable unless `serializable`: it sees every write acknowledged before the call.
   * Repeated on another endpoint while there is none. Errors: Compacted and FutureRev (OutOfRange).
   */
  get(key: BytesLike, options: GetOptions & CallOptions = {}): Promise<RangeResponse> {
    return this.connection.unary(rangeMethod, rangeRequest(key, options), options);
  }

  /**
   * The same answer in pieces, for ranges too big for one message (etcd 3.7's RangeStream). All pieces are of one
   * revision; header, `more` and `count` may stand in any of them.
   */
  async *rangeStream(
    key: BytesLike,
    options: GetOptions & CallOptions = {},
  ): AsyncGenerator<RangeResponse, void, undefined> {
    const pieces = this.connection.serverStream(streamMethod, rangeRequest(key, options), options);
    for await (const piece of pieces) if (piece.rangeResponse !== undefined) yield piece.rangeResponse;
  }

  /** Writes a key. Never sent twice. Errors: LeaseNotFound, KeyNotFound (ignoreValue, ignoreLease), NoSpace. */
  put(key: BytesLike, value: BytesLike, options: PutOptions & CallOptions = {}): Promise<PutResponse> {
    return this.connection.unary(putMethod, putRequest(key, value, options), options);
  }

  /** Deletes a key or a range, in one revision. `deleted` says how many there were. Never sent twice. */
  delete(key: BytesLike, options: DeleteOptions & CallOptions = {}): Promise<DeleteRangeResponse> {
    return this.connection.unary(deleteMethod, deleteRequest(key, options), options);
  }

  /** Begins a transaction. */
  txn(): TxnBuilder {
    return new TxnBuilder((request, options) => this.connection.unary(txnMethod, request, options));
  }

  /** Forgets the history below `revision`: reads and watches below it are errors from then on. */
  compact(revision: IntegerLike, options: CompactOptions = {}): Promise<CompactionResponse> {
    const request = { revision: BigInt(revision), physical: options.physical === true };
    return this.connection.unary(compactMethod, request, options);
  }
}
