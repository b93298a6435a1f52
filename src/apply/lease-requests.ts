/** The requests about leases as the log carries them (package etcdserverpb). All decoders throw ProtoError. */
import type { LeaseId } from "../base/brand.js";
import { ProtoReader, ProtoWriter } from "../base/protowire.js";
import type { LeaseCheckpoint } from "../lease/checkpoints.js";

export interface LeaseGrant {
  /** Signed; 0: the server is to choose. */
  readonly id: LeaseId;
  readonly ttlSeconds: number;
}

const grantTtlField = 1;
const grantIdField = 2;

export function encodeLeaseGrant({ id, ttlSeconds }: LeaseGrant): Uint8Array {
  return new ProtoWriter(32).int64Field(grantTtlField, ttlSeconds).bigField(grantIdField, id).finish();
}

export function decodeLeaseGrant(bytes: Uint8Array): LeaseGrant {
  const reader = new ProtoReader(bytes);
  let id: LeaseId = 0n;
  let ttlSeconds = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === grantTtlField << 3) ttlSeconds = reader.int64();
    else if (tag === grantIdField << 3) id = reader.int64Big();
    else reader.skip(tag);
  }
  return { id, ttlSeconds };
}

const idField = 1;

/** LeaseRevokeRequest, LeaseKeepAliveRequest: a lease id and nothing else. */
export function encodeLeaseId(id: LeaseId): Uint8Array {
  return new ProtoWriter(16).bigField(idField, id).finish();
}

export function decodeLeaseId(bytes: Uint8Array, start = 0, end = bytes.length): LeaseId {
  const reader = new ProtoReader(bytes, start, end);
  let id: LeaseId = 0n;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === idField << 3) id = reader.int64Big();
    else reader.skip(tag);
  }
  return id;
}

const checkpointsField = 1;
const remainingField = 2;

/** LeaseCheckpointRequest */
export function encodeLeaseCheckpoints(checkpoints: readonly LeaseCheckpoint[]): Uint8Array {
  const writer = new ProtoWriter(16 + checkpoints.length * 20);
  for (const { id, remainingSeconds } of checkpoints) {
    writer.messageField(checkpointsField, (item) =>
      item.bigField(idField, id).int64Field(remainingField, remainingSeconds),
    );
  }
  return writer.finish();
}

export function decodeLeaseCheckpoints(bytes: Uint8Array): readonly LeaseCheckpoint[] {
  const reader = new ProtoReader(bytes);
  const checkpoints: LeaseCheckpoint[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag === checkpointsField * 8 + 2) checkpoints.push(decodeCheckpoint(reader.message()));
    else reader.skip(tag);
  }
  return checkpoints;
}

function decodeCheckpoint(reader: ProtoReader): LeaseCheckpoint {
  let id: LeaseId = 0n;
  let remainingSeconds = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === idField << 3) id = reader.int64Big();
    else if (tag === remainingField << 3) remainingSeconds = reader.int64();
    else reader.skip(tag);
  }
  return { id, remainingSeconds };
}
