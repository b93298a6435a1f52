/**
 * What is said to the leader about leases (methods LeaseKeepAlive and LeaseTimeToLive of protocol.ts).
 *
 *   LeaseKeepAlive   1: etcdserverpb.LeaseKeepAliveRequest, once for each lease
 *                    → 1: LeaseKeepAliveResponse, in the same order; TTL −1: the member that was asked does not lead
 *   LeaseTimeToLive  leasepb.LeaseInternalRequest → leasepb.LeaseInternalResponse; TTL −1: there is no such lease
 */
import type { LeaseId } from "../../base/brand.js";
import { ProtoReader, ProtoWriter } from "../../base/protowire.js";
import { LeaseInternalRequest, LeaseInternalResponse } from "../../gen/lease.js";
import type { LeaseTimes, RenewedSeconds } from "../../ports/lease-peers.js";

const itemField = 1;
const requestIdField = 1;
const responseIdField = 2;
const responseTtlField = 3;
const notLeading = -1;

export function encodeRenewals(leases: readonly LeaseId[]): Uint8Array {
  const writer = new ProtoWriter(16 + leases.length * 16);
  for (const lease of leases) writer.messageField(itemField, (item) => item.bigField(requestIdField, lease));
  return writer.finish();
}

/** Throws ProtoError. */
export function decodeRenewals(bytes: Uint8Array): readonly LeaseId[] {
  return items(bytes, (reader) => {
    let lease: LeaseId = 0n;
    while (reader.more) {
      const tag = reader.tag();
      if (tag === requestIdField << 3) lease = reader.int64Big();
      else reader.skip(tag);
    }
    return lease;
  });
}

export function encodeRenewed(leases: readonly LeaseId[], answers: readonly RenewedSeconds[]): Uint8Array {
  const writer = new ProtoWriter(16 + leases.length * 24);
  for (const [at, lease] of leases.entries()) {
    writer.messageField(itemField, (item) => {
      const ttl = BigInt(answers[at] ?? notLeading);
      item.bigField(responseIdField, lease).bigField(responseTtlField, ttl);
    });
  }
  return writer.finish();
}

/** Throws ProtoError. */
export function decodeRenewed(bytes: Uint8Array): readonly RenewedSeconds[] {
  return items(bytes, (reader) => {
    let ttl = 0;
    while (reader.more) {
      const tag = reader.tag();
      if (tag === responseTtlField << 3) ttl = reader.int64();
      else reader.skip(tag);
    }
    return ttl === notLeading ? undefined : ttl;
  });
}

function items<Item>(bytes: Uint8Array, decode: (reader: ProtoReader) => Item): readonly Item[] {
  const reader = new ProtoReader(bytes);
  const found: Item[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag === itemField * 8 + 2) found.push(decode(reader.message()));
    else reader.skip(tag);
  }
  return found;
}

export function encodeTimesRequest(lease: LeaseId, keys: boolean): Uint8Array {
  return LeaseInternalRequest.encode({ LeaseTimeToLiveRequest: { ID: lease, keys } }).finish();
}

export function decodeTimesRequest(bytes: Uint8Array): { readonly lease: LeaseId; readonly keys: boolean } {
  const request = LeaseInternalRequest.decode(bytes).LeaseTimeToLiveRequest;
  return { lease: request?.ID ?? 0n, keys: request?.keys ?? false };
}

export function encodeTimes(lease: LeaseId, times: LeaseTimes | "unknown"): Uint8Array {
  const known = times !== "unknown";
  return LeaseInternalResponse.encode({
    LeaseTimeToLiveResponse: {
      header: undefined,
      ID: lease,
      TTL: known ? BigInt(times.remainingSeconds) : -1n,
      grantedTTL: known ? BigInt(times.grantedSeconds) : 0n,
      keys: known ? [...times.keys] : [],
    },
  }).finish();
}

export function decodeTimes(bytes: Uint8Array): LeaseTimes | "unknown" {
  const response = LeaseInternalResponse.decode(bytes).LeaseTimeToLiveResponse;
  if (response === undefined || (response.TTL === -1n && response.grantedTTL === 0n)) return "unknown";
  return {
    remainingSeconds: Number(response.TTL),
    grantedSeconds: Number(response.grantedTTL),
    keys: response.keys,
  };
}
