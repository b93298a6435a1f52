/** The Lease service. */
import { randomBytes } from "node:crypto";
import { decodeLeaseId, encodeLeaseGrant } from "../apply/lease-requests.js";
import { RequestField } from "../apply/raft-request.js";
import { assert } from "../base/assert.js";
import type { LeaseId } from "../base/brand.js";
import { allocateBytes, emptyBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { ProtoWriter } from "../base/protowire.js";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../gen/etcdserver.js";
import type { HeaderFields, Member, ProposeOptions } from "../member/contract.js";
import { headerBytes } from "../mvcc/encode.js";
import type { BidiMethod, RpcMethod, UnaryMethod } from "../transport/rpc.js";
import { generatedCodec } from "./generated-codec.js";
import { generatedHeader } from "./header.js";
import { AnswerInRow, answerInOrder, type Row } from "./in-order.js";

export interface LeaseOptions {
  /** A shorter time to live is raised to it. */
  readonly ttlSecondsMin: number;
}

export function leaseMethods(member: Member, options: LeaseOptions): readonly RpcMethod[] {
  return [
    grantMethod(member, options),
    revokeMethod(member),
    keepAliveMethod(member),
    timeToLiveMethod(member),
    listMethod(member),
  ];
}

export interface GrantedLease {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
}

/** Errors: LeaseTTLTooLarge, LeaseExist, NoSpace, and those of `propose`. */
export async function grantLease(
  member: Member,
  wanted: { readonly id: LeaseId; readonly ttlSeconds: number },
  options: LeaseOptions & ProposeOptions,
): Promise<GrantedLease> {
  if (wanted.ttlSeconds > limits.leaseTtlSecondsMax) throw storeError("LeaseTTLTooLarge");
  // Raised before it enters the log: members that are configured differently still hold the same leases.
  const ttlSeconds = Math.max(wanted.ttlSeconds, options.ttlSecondsMin);
  const body = encodeLeaseGrant({ id: wanted.id === 0n ? randomLeaseId() : wanted.id, ttlSeconds });
  const result = await member.propose(RequestField.LeaseGrant, body, options);
  assert(result.kind === "leaseGrant", "a grant is answered by a lease");
  return result;
}

/** Positive, 63 bits, not 0. */
function randomLeaseId(): LeaseId {
  while (true) {
    const id = randomBytes(8).readBigUInt64LE() >> 1n;
    if (id !== 0n) return id;
  }
}

function grantMethod(
  member: Member,
  options: LeaseOptions,
): UnaryMethod<LeaseGrantRequest, LeaseGrantResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Lease/LeaseGrant",
    ...generatedCodec(LeaseGrantRequest, LeaseGrantResponse),
    handle: async ({ ID, TTL }, { timeoutMs }) => {
      const wanted = { id: ID, ttlSeconds: Number(TTL) };
      const lease = await grantLease(member, wanted, { ...options, timeoutMs });
      return { header: generatedHeader(member), ID: lease.id, TTL: BigInt(lease.ttlSeconds), error: "" };
    },
  };
}

function revokeMethod(member: Member): UnaryMethod<LeaseRevokeRequest, LeaseRevokeResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Lease/LeaseRevoke",
    ...generatedCodec(LeaseRevokeRequest, LeaseRevokeResponse),
    handle: async (request, call) => {
      const body = LeaseRevokeRequest.encode(request).finish();
      const result = await member.propose(RequestField.LeaseRevoke, body, call);
      assert(result.kind === "leaseRevoke", "a revoke is answered by its revision");
      return { header: generatedHeader(member, result.revision) };
    },
  };
}

/** The answer to a keep-alive. What comes of it: the seconds that the lease lives, 0 where it is gone. */
class KeptAlive extends AnswerInRow<number> {
  constructor(
    row: Row,
    readonly header: HeaderFields,
    readonly id: LeaseId,
  ) {
    super(row);
  }
}

function keepAliveMethod(member: Member): BidiMethod<LeaseId, KeptAlive> {
  const begin = (id: LeaseId, row: Row): void => {
    // Its header is made before: its revision must not be later than the renewal, or a client could take a lease for
    // alive that was revoked at an earlier one.
    const answer = new KeptAlive(row, member.header(), id);
    member.renewLease(id).settle(answer);
  };
  return {
    kind: "bidi",
    path: "/etcdserverpb.Lease/LeaseKeepAlive",
    decode: decodeLeaseId,
    decodeInPlace: decodeLeaseId,
    encode: encodeKeptAlive,
    handle: (requests, _call, sink) =>
      answerInOrder(requests, { ahead: limits.keepAlivesPerStreamMax }, { begin, sink }),
  };
}

/** Header, id and time to live: three ids, a revision, a term and a time. */
const keptAliveBytesMax = 72;
const keptAlive = new ProtoWriter(allocateBytes(keptAliveBytesMax));
let keptAliveBytes = emptyBytes;

/** LeaseKeepAliveResponse. Good until the next call: so a keep-alive's answer takes no memory. */
function encodeKeptAlive({ header, id, outcome: ttlSeconds }: KeptAlive): Uint8Array {
  assert(ttlSeconds !== undefined, "an answer is given when it is there");
  keptAlive.reset();
  keptAlive.raw(headerBytes(header)).bigField(2, id).int64Field(3, ttlSeconds);
  // Most are as long as the one before, and lie in the same memory.
  if (keptAliveBytes.length !== keptAlive.length) keptAliveBytes = keptAlive.finish();
  return keptAliveBytes;
}

function timeToLiveMethod(member: Member): UnaryMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Lease/LeaseTimeToLive",
    ...generatedCodec(LeaseTimeToLiveRequest, LeaseTimeToLiveResponse),
    handle: async ({ ID, keys }, { timeoutMs }) => {
      const times = await member.leaseTimes(ID, { keys, timeoutMs });
      const header = generatedHeader(member);
      if (times === undefined) return { header, ID, TTL: -1n, grantedTTL: 0n, keys: [] };
      return {
        header,
        ID,
        TTL: BigInt(times.remainingSeconds),
        grantedTTL: BigInt(times.grantedSeconds),
        keys: [...times.keys],
      };
    },
  };
}

function listMethod(member: Member): UnaryMethod<LeaseLeasesRequest, LeaseLeasesResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Lease/LeaseLeases",
    ...generatedCodec(LeaseLeasesRequest, LeaseLeasesResponse),
    handle: () => ({
      header: generatedHeader(member),
      leases: member.leases().map((ID) => ({ ID })),
    }),
  };
}
