import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeLeaseCheckpoints,
  decodeLeaseGrant,
  decodeLeaseId,
  encodeLeaseCheckpoints,
  encodeLeaseGrant,
  encodeLeaseId,
} from "../../src/apply/lease-requests.js";
import { decodeRaftRequest, encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import { ProtoError, ProtoWriter } from "../../src/base/protowire.js";
import {
  InternalRaftRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
} from "../../src/gen/etcdserver.js";

const signed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const unsigned = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const seconds = fc.integer({ min: 0, max: 9_000_000_000 });
const bytes = fc.uint8Array({ maxLength: 300 });

describe("a log entry", () => {
  test("carries the request's own bytes, whatever they are", () => {
    fc.assert(
      fc.property(unsigned, fc.constantFrom(...Object.values(RequestField)), bytes, (id, field, body) => {
        const decoded = decodeRaftRequest(encodeRaftRequest({ id, field, body }));
        expect(decoded.id).toBe(id);
        expect(decoded.field).toBe(field);
        expect([...decoded.body]).toEqual([...body]);
      }),
    );
  });

  test("is the InternalRaftRequest that etcd's tools read", () => {
    const put = PutRequest.fromPartial({ key: Uint8Array.of(1, 255), value: Uint8Array.of(0), lease: -2n });
    const body = PutRequest.encode(put).finish();
    const decoded = InternalRaftRequest.decode(encodeRaftRequest({ id: 77n, field: RequestField.Put, body }));
    expect(decoded.header?.ID).toBe(77n);
    expect([...PutRequest.encode(decoded.put!).finish()]).toEqual([...body]);
    const grant = encodeLeaseGrant({ id: -5n, ttlSeconds: 60 });
    const entry = encodeRaftRequest({ id: 0n, field: RequestField.LeaseGrant, body: grant });
    expect(InternalRaftRequest.decode(entry).leaseGrant).toEqual({ ID: -5n, TTL: 60n });
  });

  test("written by the generated codec reads the same, also with the id where etcd 3.0 had it", () => {
    const request = InternalRaftRequest.fromPartial({ ID: 9n, leaseRevoke: { ID: 3n } });
    expect(decodeRaftRequest(InternalRaftRequest.encode(request).finish())).toMatchObject({
      id: 9n,
      field: RequestField.LeaseRevoke,
    });
  });

  test("without a request is refused, and so is one that is cut", () => {
    const onlyHeader = new ProtoWriter(16).messageField(100, (header) => header.bigField(1, 5n)).finish();
    expect(() => decodeRaftRequest(onlyHeader)).toThrow(ProtoError);
    const whole = encodeRaftRequest({ id: 1n, field: RequestField.Put, body: Uint8Array.of(1, 2, 3) });
    expect(() => decodeRaftRequest(whole.subarray(0, 3))).toThrow(ProtoError);
  });

  test("that is damaged is read or refused, and never anything else", () => {
    fc.assert(
      fc.property(bytes, (garbage) => {
        try {
          decodeRaftRequest(garbage);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtoError);
        }
      }),
    );
  });
});

describe("requests about leases", () => {
  test("grants read as they were written, by us and by the generated codec", () => {
    fc.assert(
      fc.property(signed, seconds, (id, ttlSeconds) => {
        const encoded = encodeLeaseGrant({ id, ttlSeconds });
        expect(decodeLeaseGrant(encoded)).toEqual({ id, ttlSeconds });
        expect(LeaseGrantRequest.decode(encoded)).toEqual({ ID: id, TTL: BigInt(ttlSeconds) });
      }),
    );
  });

  test("ids read as they were written", () => {
    fc.assert(
      fc.property(signed, (id) => {
        expect(decodeLeaseId(encodeLeaseId(id))).toBe(id);
        expect(LeaseRevokeRequest.decode(encodeLeaseId(id))).toEqual({ ID: id });
      }),
    );
  });

  test("checkpoints read as they were written", () => {
    const item = fc.record({ id: signed, remainingSeconds: seconds });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), (checkpoints) => {
        const encoded = encodeLeaseCheckpoints(checkpoints);
        expect(decodeLeaseCheckpoints(encoded)).toEqual(checkpoints);
        const wire = checkpoints.map(({ id, remainingSeconds }) => ({
          ID: id,
          remainingTTL: BigInt(remainingSeconds),
        }));
        expect(LeaseCheckpointRequest.decode(encoded).checkpoints).toEqual(wire);
      }),
    );
  });

  test("fields of a newer version are passed over", () => {
    const newer = new ProtoWriter(64).bigField(1, 60n).bigField(2, 7n).bigField(9, 1n).finish();
    expect(decodeLeaseGrant(newer)).toEqual({ id: 7n, ttlSeconds: 60 });
    const id = new ProtoWriter(64).bigField(4, 2n).bigField(1, 7n).finish();
    expect(decodeLeaseId(id)).toBe(7n);
  });
});
