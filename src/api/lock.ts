/** The Lock service: one holder of a name at a time, in the order in which they came (see lease-keys.ts). */
import { RequestField } from "../apply/raft-request.js";
import { assert } from "../base/assert.js";
import { emptyBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import { DeleteRangeRequest } from "../gen/etcdserver.js";
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from "../gen/lock.js";
import type { Member } from "../member/contract.js";
import {
  type CallContext,
  type RpcMethod,
  RpcStatus,
  StatusCode,
  type UnaryMethod,
} from "../transport/rpc.js";
import { asUnknown } from "./error-table.js";
import { generatedCodec } from "./generated-codec.js";
import { generatedHeader } from "./header.js";
import type { LeaseOptions } from "./lease.js";
import {
  candidateKey,
  candidates,
  deleteOp,
  enter,
  ifCreatedAt,
  leaseFor,
  waitForTurn,
} from "./lease-keys.js";

export function lockMethods(member: Member, options: LeaseOptions): readonly RpcMethod[] {
  return [lockMethod(member, options), unlockMethod(member)];
}

function lockMethod(member: Member, options: LeaseOptions): UnaryMethod<LockRequest, LockResponse> {
  return {
    kind: "unary",
    path: "/v3lockpb.Lock/Lock",
    ...generatedCodec(LockRequest, LockResponse),
    handle: (request, call) => asUnknown(() => lock(member, request, options, call)),
  };
}

async function lock(
  member: Member,
  request: LockRequest,
  options: LeaseOptions,
  call: CallContext,
): Promise<LockResponse> {
  const lease = await leaseFor(member, request.lease, options, call);
  const key = candidateKey(request.name, lease);
  const entered = await enter(member, { key, value: emptyBytes, lease }, call);
  const { createRevision } = entered;
  let waited: boolean;
  try {
    const own = { key, createRevision };
    waited = await waitForTurn(member, candidates(request.name), own, call, sessionExpired);
    // Whoever waited may hold a lease that ended while the last one before it went.
    if (waited) await member.linearize(call);
    if (waited) await waitForTurn(member, candidates(request.name), own, call, sessionExpired);
  } catch (error) {
    // Nobody waits any more: the place in the row is given up, whoever holds it by then.
    await ifCreatedAt(member, key, createRevision, { met: deleteOp(key) }, { timeoutMs: undefined });
    throw error;
  }
  return { header: generatedHeader(member, waited ? undefined : entered.revision), key };
}

function sessionExpired(): Error {
  return new RpcStatus(StatusCode.Unknown, "mutex: session is expired");
}

function unlockMethod(member: Member): UnaryMethod<UnlockRequest, UnlockResponse> {
  return {
    kind: "unary",
    path: "/v3lockpb.Lock/Unlock",
    ...generatedCodec(UnlockRequest, UnlockResponse),
    handle: ({ key }, call) =>
      asUnknown(async () => {
        if (key.length === 0) throw storeError("EmptyKey");
        const body = DeleteRangeRequest.encode({ key, rangeEnd: emptyBytes, prevKv: false }).finish();
        const result = await member.propose(RequestField.DeleteRange, body, call);
        assert(result.kind === "deleteRange", "a delete is answered by a delete");
        return { header: generatedHeader(member, result.deleteRange.revision) };
      }),
  };
}
