/**
 * The KV service. A writing request goes into the log as the bytes that the client sent; what is decoded here is
 * decoded to be checked. Reads are answered from the local state, after the leader was confirmed where the client
 * did not ask for less.
 */
import { RequestField } from "../apply/raft-request.js";
import type { ApplyResult } from "../apply/result.js";
import { assert } from "../base/assert.js";
import { StoreError } from "../base/errors.js";
import type { Later } from "../base/later.js";
import type { Member } from "../member/contract.js";
import {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  isTxnReadOnly,
  isTxnSerializable,
} from "../mvcc/checks.js";
import {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeCompactionResponse,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
} from "../mvcc/codec.js";
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from "../mvcc/requests.js";
import type { CallContext, RpcMethod, UnaryMethod } from "../transport/rpc.js";
import { rangeInSlices, rangeStreamMethod } from "./range.js";
import { ReadTimes, type ReadTimesDeps } from "./read-times.js";

/** A request, and the bytes that it came as. */
export interface Received<Message> {
  readonly message: Message;
  readonly bytes: Uint8Array;
}

export interface KvOptions {
  /** --max-txn-ops */
  readonly txnOpsMax: number;
}

type Encoded = readonly Uint8Array[];

/** Keeps the bytes beside the decoded message. */
export function keepBytes<Message>(
  decode: (bytes: Uint8Array) => Message,
): (bytes: Uint8Array) => Received<Message> {
  return (bytes) => ({ message: decode(bytes), bytes });
}

export function kvMethods(member: Member, options: KvOptions, deps: ReadTimesDeps): readonly RpcMethod[] {
  const times = new ReadTimes(deps);
  return [
    rangeMethod(member, times),
    rangeStreamMethod(member),
    putMethod(member),
    deleteRangeMethod(member),
    txnMethod(member, options, times),
    compactMethod(member),
  ];
}

/** Handlers give the encoded parts themselves: what they answer is already bytes for the most part. */
const passThrough = (parts: Encoded): Encoded => parts;

function rangeMethod(member: Member, times: ReadTimes): UnaryMethod<Received<RangeRequest>, Encoded> {
  return {
    kind: "unary",
    path: "/etcdserverpb.KV/Range",
    decode: keepBytes(decodeRangeRequest),
    encode: passThrough,
    handle: ({ message }, call) => {
      checkRange(message);
      const answer = (): Encoded | Promise<Encoded> => answerRange(member, message, call);
      if (message.serializable && isShort(message)) return times.atOnce("Range", answer);
      if (message.serializable) return times.local("Range", answer);
      const confirmed = member.linearize(call);
      return confirmed.map(() => times.since(confirmed.startedMs, "Range", answer));
    },
  };
}

/** One key, or a count. */
function isShort({ rangeEnd, countOnly }: RangeRequest): boolean {
  return rangeEnd.length === 0 || countOnly;
}

function answerRange(
  member: Member,
  request: RangeRequest,
  call: Pick<CallContext, "cancelled">,
): Encoded | Promise<Encoded> {
  // What may be long is read in slices.
  if (isShort(request)) {
    const result = member.range(request);
    return encodeRangeResponse(member.header(result.revision), result);
  }
  return rangeInSlices(member, request, call);
}

function putMethod(member: Member): UnaryMethod<Received<PutRequest>, Encoded> {
  const encode = (result: ApplyResult): Encoded => {
    assert(result.kind === "put", "a put is answered by a put");
    return encodePutResponse(member.header(result.put.revision), result.put);
  };
  return {
    kind: "unary",
    path: "/etcdserverpb.KV/Put",
    // The log has a copy.
    borrowsRequest: true,
    decode: keepBytes(decodePutRequest),
    encode: passThrough,
    handle: ({ message, bytes }, call) => {
      checkPut(message);
      return member.propose(RequestField.Put, bytes, call).map(encode);
    },
  };
}

function deleteRangeMethod(member: Member): UnaryMethod<Received<DeleteRangeRequest>, Encoded> {
  const encode = (result: ApplyResult): Encoded => {
    assert(result.kind === "deleteRange", "a delete is answered by a delete");
    return encodeDeleteRangeResponse(member.header(result.deleteRange.revision), result.deleteRange);
  };
  return {
    kind: "unary",
    path: "/etcdserverpb.KV/DeleteRange",
    // The log has a copy.
    borrowsRequest: true,
    decode: keepBytes(decodeDeleteRangeRequest),
    encode: passThrough,
    handle: ({ message, bytes }, call) => {
      checkDeleteRange(message);
      return member.propose(RequestField.DeleteRange, bytes, call).map(encode);
    },
  };
}

/** A transaction nested too deeply is well-formed, and refused with etcd's status, not as malformed bytes. */
function decodeTxn(bytes: Uint8Array): TxnRequest | StoreError {
  try {
    return decodeTxnRequest(bytes);
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}

function txnMethod(
  member: Member,
  options: KvOptions,
  times: ReadTimes,
): UnaryMethod<Received<TxnRequest | StoreError>, Encoded> {
  const encode = (result: ApplyResult): Encoded => encodeTxn(member, result);
  return {
    kind: "unary",
    path: "/etcdserverpb.KV/Txn",
    // The log has a copy.
    borrowsRequest: true,
    decode: keepBytes(decodeTxn),
    encode: passThrough,
    handle: ({ message, bytes }, call) => {
      if (message instanceof StoreError) throw message;
      checkTxn(message, options.txnOpsMax);
      if (isTxnReadOnly(message)) return readOnlyTxn(member, message, call, times);
      return member.propose(RequestField.Txn, bytes, call).map(encode);
    },
  };
}

function encodeTxn(member: Member, result: ApplyResult): Encoded {
  assert(result.kind === "txn", "a transaction is answered by a transaction");
  return encodeTxnResponse(member.header(result.txn.revision), result.txn);
}

function readOnlyTxn(
  member: Member,
  request: TxnRequest,
  call: CallContext,
  times: ReadTimes,
): Encoded | Promise<Encoded> | Later<Encoded | Promise<Encoded>> {
  const answer = (): Encoded => encodeTxn(member, { kind: "txn", txn: member.readTxn(request) });
  if (isTxnSerializable(request)) return times.local("ReadonlyTxn", answer);
  const confirmed = member.linearize(call);
  return confirmed.map(() => times.since(confirmed.startedMs, "ReadonlyTxn", answer));
}

function compactMethod(member: Member): UnaryMethod<Received<CompactionRequest>, Encoded> {
  return {
    kind: "unary",
    path: "/etcdserverpb.KV/Compact",
    decode: keepBytes(decodeCompactionRequest),
    encode: passThrough,
    handle: async ({ message, bytes }, call) => {
      const result = await member.propose(RequestField.Compaction, bytes, call);
      assert(result.kind === "compaction", "a compaction is answered by a compaction");
      if (message.physical) await member.compactionFinished();
      return encodeCompactionResponse(member.header(result.revision));
    },
  };
}
