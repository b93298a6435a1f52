/**
 * What locks and elections share. Whoever wants in creates a key `<name>/<lease in hex>` on the own lease; the one
 * whose key was created first is in, and everyone else waits for the key right before the own one to go. So the
 * end of one wakes one, and a lease that ends takes its key, and its place, with it.
 */
import { RequestField } from "../apply/raft-request.js";
import { assert } from "../base/assert.js";
import type { LeaseId, Revision } from "../base/brand.js";
import { concatBytes, emptyBytes, utf8Bytes } from "../base/bytes.js";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type RequestOp,
  TxnRequest,
  RangeRequest as WireRangeRequest,
} from "../gen/etcdserver.js";
import { Event_EventType } from "../gen/kv.js";
import type { Member, ProposeOptions } from "../member/contract.js";
import { decodeKeyValue, type KeyValue } from "../mvcc/codec.js";
import { type KeySpan, SortOrder, SortTarget, wholeRange } from "../mvcc/requests.js";
import type { RangeResult, TxnResult } from "../mvcc/results.js";
import type { CallContext } from "../transport/rpc.js";
import { KeyEventReader } from "./key-events.js";
import { grantLease, type LeaseOptions } from "./lease.js";

/** etcd's session: seconds that a lease lives which was made because the client brought none. */
const ownLeaseTtlSeconds = 60;

/** `<name>/` and all keys below it. */
export function candidates(name: Uint8Array): KeySpan {
  return { key: concatBytes([name, utf8Bytes("/")]), rangeEnd: concatBytes([name, utf8Bytes("0")]) };
}

/** A negative id is written with its sign, as Go does. */
export function candidateKey(name: Uint8Array, lease: LeaseId): Uint8Array {
  return concatBytes([name, utf8Bytes(`/${lease.toString(16)}`)]);
}

/** The client's lease, or one that is made for it. */
export async function leaseFor(
  member: Member,
  lease: LeaseId,
  options: LeaseOptions,
  { timeoutMs }: CallContext,
): Promise<LeaseId> {
  if (lease !== 0n) return lease;
  const wanted = { id: 0n, ttlSeconds: ownLeaseTtlSeconds };
  return (await grantLease(member, wanted, { ...options, timeoutMs })).id;
}

/** One transaction: `met` where `key` was created at `createRevision` (0: where it does not exist). */
export async function ifCreatedAt(
  member: Member,
  key: Uint8Array,
  createRevision: Revision,
  branches: { readonly met: RequestOp; readonly unmet?: RequestOp },
  call: ProposeOptions,
): Promise<TxnResult> {
  const body = TxnRequest.encode({
    compare: [
      {
        result: Compare_CompareResult.EQUAL,
        target: Compare_CompareTarget.CREATE,
        key,
        targetUnion: { $case: "createRevision", value: BigInt(createRevision) },
        rangeEnd: emptyBytes,
      },
    ],
    success: [branches.met],
    failure: branches.unmet === undefined ? [] : [branches.unmet],
  }).finish();
  const result = await member.propose(RequestField.Txn, body, call);
  assert(result.kind === "txn", "a transaction is answered by a transaction");
  return result.txn;
}

export function putOp(key: Uint8Array, value: Uint8Array, lease: LeaseId): RequestOp {
  const put = { key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { request: { $case: "requestPut", value: put } };
}

function getOp(key: Uint8Array): RequestOp {
  const range = WireRangeRequest.fromPartial({ key });
  return { request: { $case: "requestRange", value: range } };
}

export function deleteOp(key: Uint8Array): RequestOp {
  return { request: { $case: "requestDeleteRange", value: { key, rangeEnd: emptyBytes, prevKv: false } } };
}

export interface Entered {
  /** Of the candidate's key: the place in the row. */
  readonly createRevision: Revision;
  /** False where this lease was in the row already. */
  readonly isNew: boolean;
  /** What the key held, where it was there. */
  readonly value: Uint8Array;
  /** The store's after the transaction. */
  readonly revision: Revision;
}

/** Takes a place in the row, or finds the one that this lease has. Errors: LeaseNotFound, those of `propose`. */
export async function enter(
  member: Member,
  { key, value, lease }: { readonly key: Uint8Array; readonly value: Uint8Array; readonly lease: LeaseId },
  call: ProposeOptions,
): Promise<Entered> {
  const branches = { met: putOp(key, value, lease), unmet: getOp(key) };
  const { succeeded, responses, revision } = await ifCreatedAt(member, key, 0, branches, call);
  if (succeeded) return { createRevision: revision, isNew: true, value, revision };
  const found = responses[0];
  assert(found?.kind === "range" && found.result.kvs[0] !== undefined, "a key that was created is found");
  const pair = decodeKeyValue(found.result.kvs[0]);
  return { createRevision: pair.createRevision, isNew: false, value: pair.value, revision };
}

/** The pair under `key` now, in the local state. */
function pairOf(member: Member, key: Uint8Array): KeyValue | undefined {
  return firstPair(member.range({ ...wholeRange, key, rangeEnd: emptyBytes }));
}

/** The pair that was created first of those that exist, in the local state. */
export function firstCreated(member: Member, span: KeySpan): RangeResult {
  return member.range({ ...byCreation, ...span, limit: 1, sortOrder: SortOrder.Ascend });
}

/**
 * Resolves when no candidate is left that was created before `own`, with whether that took time.
 * Rejects with `lost()` as soon as `own` is gone: its lease ended, or somebody took it out. Errors: RpcStatus
 * Canceled when the client is gone.
 */
export async function waitForTurn(
  member: Member,
  span: KeySpan,
  own: { readonly key: Uint8Array; readonly createRevision: Revision },
  call: CallContext,
  lost: () => Error,
): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    const before = lastCreatedBefore(member, span, own.createRevision);
    const predecessor = firstPair(before);
    if (pairOf(member, own.key)?.createRevision !== own.createRevision) throw lost();
    if (predecessor === undefined) return waited;
    const spans = [predecessor.key, own.key].map((key) => ({ key, rangeEnd: emptyBytes }));
    using reader = new KeyEventReader(member, spans, before.revision + 1, call);
    let deleted = false;
    while (!deleted) {
      const { events } = await reader.next();
      deleted = events.some(({ type }) => type === Event_EventType.DELETE);
    }
  }
}

function lastCreatedBefore(member: Member, span: KeySpan, createRevision: Revision): RangeResult {
  const maxCreateRevision = createRevision - 1;
  return member.range({ ...byCreation, ...span, limit: 1, sortOrder: SortOrder.Descend, maxCreateRevision });
}

function firstPair({ kvs }: RangeResult): KeyValue | undefined {
  return kvs[0] === undefined ? undefined : decodeKeyValue(kvs[0]);
}

const byCreation = { ...wholeRange, sortTarget: SortTarget.Create };
