/**
 * mvccpb.KeyValue as bytes: made once at the put, stored and answered as they are. Fields stand in the order of
 * their numbers and zeros are left out, as Go's protobuf writes them, because the bytes go into the hash that
 * members compare.
 *
 * Example: key "a", created at 2, modified at 3, version 2, value "x", no lease:
 * 0a 01 61 | 10 02 | 18 03 | 20 02 | 2a 01 78
 */
import type { LeaseId, Revision } from "../base/brand.js";
import { allocateBytes, bytesToLatin1, emptyBytes } from "../base/bytes.js";
import {
  bytesFieldSize,
  int64FieldSize,
  ProtoError,
  ProtoReader,
  ProtoWriter,
  varintBigSize,
} from "../base/protowire.js";

/** All fields of a stored pair; key and value share memory with the bytes they were read from. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  readonly value: Uint8Array;
  /** 0: no lease. */
  readonly lease: LeaseId;
}

const keyTag = 0x0a;
const createTag = 0x10;
const modTag = 0x18;
const versionTag = 0x20;
const valueTag = 0x2a;
const leaseTag = 0x30;

/** Memory that small pairs are cut from: an allocation of its own costs more than making the pair. */
const poolBytes = 32 * 1024;
const pooledPairBytesMax = 2 * 1024;
let pool = emptyBytes;
let poolUsed = 0;

function allocatePair(sizeBytes: number): Uint8Array {
  if (sizeBytes > pooledPairBytesMax) return allocateBytes(sizeBytes);
  if (poolUsed + sizeBytes > pool.length) {
    pool = allocateBytes(poolBytes);
    poolUsed = 0;
  }
  const start = poolUsed;
  poolUsed += sizeBytes;
  return pool.subarray(start, poolUsed);
}

/** The protobuf bytes, in fresh memory; small pairs share it with their neighbours. */
export function encodeKeyValue(pair: KeyValue): Uint8Array {
  const { key, createRevision, modRevision, version, value, lease } = pair;
  const size =
    (key.length === 0 ? 0 : bytesFieldSize(key.length)) +
    int64FieldSize(createRevision) +
    int64FieldSize(modRevision) +
    int64FieldSize(version) +
    (value.length === 0 ? 0 : bytesFieldSize(value.length)) +
    (lease === 0n ? 0 : 1 + varintBigSize(lease));
  return new ProtoWriter(allocatePair(size))
    .bytesField(1, key)
    .int64Field(2, createRevision)
    .int64Field(3, modRevision)
    .int64Field(4, version)
    .bytesField(5, value)
    .bigField(6, lease)
    .finish();
}

/** What is stored for a delete: the key alone. */
export function encodeTombstone(key: Uint8Array): Uint8Array {
  return new ProtoWriter(allocatePair(bytesFieldSize(key.length))).bytesField(1, key).finish();
}

/** The pair of a delete event: key and the revision of the delete. */
export function encodeDeleted(key: Uint8Array, modRevision: Revision): Uint8Array {
  return encodeKeyValue({ key, createRevision: 0, modRevision, version: 0, value: emptyBytes, lease: 0n });
}

/** All fields. Errors: ProtoError. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  const reader = new ProtoReader(bytes);
  let key = emptyBytes;
  let value = emptyBytes;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let lease = 0n;
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case keyTag:
        key = reader.slice();
        break;
      case createTag:
        createRevision = reader.int64();
        break;
      case modTag:
        modRevision = reader.int64();
        break;
      case versionTag:
        version = reader.int64();
        break;
      case valueTag:
        value = reader.slice();
        break;
      case leaseTag:
        lease = reader.int64Big();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { key, createRevision, modRevision, version, value, lease };
}

/** The key as a latin1 string. Reads nothing but the first field where the bytes are as `encodeKeyValue` writes them. */
export function storedKey(bytes: Uint8Array): string {
  return bytesToLatin1(storedKeyBytes(bytes));
}

/** The key, sharing memory with `bytes`. */
export function storedKeyBytes(bytes: Uint8Array): Uint8Array {
  return sliceField(bytes, keyTag);
}

/** The value, sharing memory with `bytes`; empty where there is none. */
export function storedValue(bytes: Uint8Array): Uint8Array {
  return sliceField(bytes, valueTag);
}

/** The lease; 0 where there is none. */
export function storedLease(bytes: Uint8Array): LeaseId {
  const reader = new ProtoReader(bytes);
  while (reader.more) {
    const tag = reader.tag();
    if (tag === leaseTag) return reader.int64Big();
    reader.skip(tag);
  }
  return 0n;
}

function sliceField(bytes: Uint8Array, wanted: number): Uint8Array {
  const reader = new ProtoReader(bytes);
  while (reader.more) {
    const tag = reader.tag();
    if (tag === wanted) return reader.slice();
    reader.skip(tag);
  }
  return emptyBytes;
}

/**
 * Reads what the index needs of stored bytes, without an object a record: a restart looks at every one. The
 * fields are those of the last `read`.
 */
export class KeyValueHead {
  key = "";
  createRevision: Revision = 0;
  version = 0;
  lease: LeaseId = 0n;

  /** Reads the pair from `start` to `end` of `bytes`. Errors: ProtoError. */
  read(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.key = "";
    this.createRevision = 0;
    this.version = 0;
    this.lease = 0n;
    for (let at = start; at < end; ) {
      const tag = bytes[at++]!;
      const numberAt = at;
      // A varint, whose bytes may end before it does: then `at` is behind the end.
      let byte = bytes[at++]!;
      let number = byte & 0x7f;
      for (let scale = 128; byte >= 0x80 && at < end; scale *= 128) {
        byte = bytes[at++]!;
        number += (byte & 0x7f) * scale;
      }
      if (tag === keyTag || tag === valueTag) at += number;
      if (at > end || byte >= 0x80) throw new ProtoError("unexpected EOF");
      if (tag === keyTag) this.key = bytesToLatin1(bytes, at - number, at);
      else if (tag === createTag) this.createRevision = number;
      else if (tag === versionTag) this.version = number;
      else if (tag === leaseTag) this.lease = new ProtoReader(bytes, numberAt, end).int64Big();
      else if (tag !== modTag && tag !== valueTag) {
        throw new ProtoError(`a stored pair has no field ${tag >>> 3}`);
      }
    }
  }
}
