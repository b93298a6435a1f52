/**
 * What a normal log entry holds: an etcdserverpb.InternalRaftRequest. The request of a client is one of its
 * length-delimited fields, so its bytes are carried from the client's frame into the log as they came.
 */
import type { RequestId } from "../base/brand.js";
import {
  ProtoError,
  ProtoReader,
  ProtoWriter,
  varintBigSize,
  varintSize,
  wireBytes,
} from "../base/protowire.js";

/** Field numbers of InternalRaftRequest. */
export const RequestField = {
  Range: 3,
  Put: 4,
  DeleteRange: 5,
  Txn: 6,
  Compaction: 7,
  LeaseGrant: 8,
  LeaseRevoke: 9,
  Alarm: 10,
  LeaseCheckpoint: 11,
  ClusterVersionSet: 1300,
  ClusterMemberAttrSet: 1301,
} as const;

const headerField = 100;
const headerIdField = 1;
const legacyIdField = 1;

export interface RaftRequest {
  /** Unique in the cluster; 0 where nobody waits. */
  readonly id: RequestId;
  /** One of RequestField, or a number of a newer version. */
  readonly field: number;
  /** Protobuf bytes of the request; shares memory with the entry. */
  readonly body: Uint8Array;
}

export function encodeRaftRequest(request: RaftRequest): Uint8Array {
  const { id, field, body } = request;
  const headerBytes = id === 0n ? 0 : 1 + varintBigSize(id);
  const bodyBytes = varintSize(field * 8) + varintSize(body.length) + body.length;
  return new ProtoWriter(bodyBytes + varintSize(headerField * 8) + 1 + headerBytes)
    .bytesFieldAlways(field, body)
    .varint(headerField * 8 + wireBytes)
    .varint(headerBytes)
    .bigField(headerIdField, id)
    .finish();
}

/** Throws ProtoError where the bytes are no such message or name no request. */
export function decodeRaftRequest(bytes: Uint8Array): RaftRequest {
  const reader = new ProtoReader(bytes);
  let id: RequestId = 0n;
  let field = 0;
  let body: Uint8Array | undefined;
  while (reader.more) {
    const tag = reader.tag();
    const number = tag >>> 3;
    if (number === headerField && (tag & 7) === 2) id = readHeaderId(reader.message());
    else if (number === legacyIdField && (tag & 7) === 0) id = reader.uint64Big();
    else if ((tag & 7) === 2) {
      field = number;
      body = reader.slice();
    } else reader.skip(tag);
  }
  if (body === undefined) throw new ProtoError("a log entry without a request");
  return { id, field, body };
}

function readHeaderId(header: ProtoReader): RequestId {
  let id: RequestId = 0n;
  while (header.more) {
    const tag = header.tag();
    if (tag === headerIdField << 3) id = header.uint64Big();
    else header.skip(tag);
  }
  return id;
}
