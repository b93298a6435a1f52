/**
 * The hand-written codecs beside the generated ones. If one of these fails, a client's request is read as
 * another one, or an answer cannot be read; a stored pair of other bytes would break the hash that members
 * compare.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { ProtoError, ProtoWriter } from "../../src/base/protowire.js";
import * as gen from "../../src/gen/etcdserver.js";
import { KeyValue as GenKeyValue } from "../../src/gen/kv.js";
import * as codec from "../../src/mvcc/codec.js";
import { encodeTombstone, KeyValueHead } from "../../src/mvcc/key-value.js";
import { locateEach, ReadBatch } from "../../src/mvcc/read-batch.js";
import type { ResponseOp, TxnResult } from "../../src/mvcc/results.js";

const bytes = fc.uint8Array({ maxLength: 12 });
const int64 = fc.oneof(
  fc.bigInt({ min: -3n, max: 300n }),
  fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
);
const anyInt64 = fc.oneof(int64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const genRange: fc.Arbitrary<gen.RangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  limit: int64,
  revision: int64,
  sortOrder: fc.integer({ min: 0, max: 2 }),
  sortTarget: fc.integer({ min: 0, max: 4 }),
  serializable: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: int64,
  maxModRevision: int64,
  minCreateRevision: int64,
  maxCreateRevision: int64,
});
const genPut: fc.Arbitrary<gen.PutRequest> = fc.record({
  key: bytes,
  value: bytes,
  lease: anyInt64,
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
});
const genDelete: fc.Arbitrary<gen.DeleteRangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  prevKv: fc.boolean(),
});

const numbers = <Fields extends object>(fields: Fields): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );
const plain = (value: Uint8Array): number[] => [...value];
const withPlainBytes = (fields: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? plain(value) : value]),
  );

describe("requests are read as the generated codec writes them", () => {
  test("range", () => {
    fc.assert(
      fc.property(genRange, (request) => {
        const decoded = codec.decodeRangeRequest(gen.RangeRequest.encode(request).finish());
        expect(withPlainBytes(decoded)).toEqual(withPlainBytes(numbers(request)));
      }),
    );
  });

  test("put, with lease ids of the whole range", () => {
    fc.assert(
      fc.property(genPut, (request) => {
        const decoded = codec.decodePutRequest(gen.PutRequest.encode(request).finish());
        expect(withPlainBytes(decoded)).toEqual(withPlainBytes(request));
      }),
    );
  });

  test("delete and compaction", () => {
    fc.assert(
      fc.property(genDelete, int64, fc.boolean(), (request, revision, physical) => {
        const decoded = codec.decodeDeleteRangeRequest(gen.DeleteRangeRequest.encode(request).finish());
        expect(withPlainBytes(decoded)).toEqual(withPlainBytes(request));
        const wire = gen.CompactionRequest.encode({ revision, physical }).finish();
        expect(codec.decodeCompactionRequest(wire)).toEqual({ revision: Number(revision), physical });
      }),
    );
  });

  const op = (request: gen.RequestOp["request"]): gen.RequestOp => ({ request });

  test("transactions with every kind of operation and of compare", () => {
    fc.assert(
      fc.property(genRange, genPut, genDelete, bytes, int64, (range, put, deleteRange, key, n) => {
        const base = { result: 1, key, rangeEnd: key };
        const putOp = op({ $case: "requestPut", value: put });
        const nested: gen.TxnRequest = { compare: [], success: [putOp], failure: [] };
        const request: gen.TxnRequest = {
          compare: [
            { ...base, target: 0, targetUnion: { $case: "version", value: n } },
            { ...base, target: 1, targetUnion: { $case: "createRevision", value: n } },
            { ...base, target: 2, targetUnion: { $case: "modRevision", value: n } },
            { ...base, target: 3, targetUnion: { $case: "value", value: key } },
            { ...base, target: 4, targetUnion: { $case: "lease", value: n } },
          ],
          success: [
            op({ $case: "requestRange", value: range }),
            putOp,
            op({ $case: "requestTxn", value: nested }),
          ],
          failure: [op({ $case: "requestDeleteRange", value: deleteRange }), op(undefined)],
        };
        const decoded = codec.decodeTxnRequest(gen.TxnRequest.encode(request).finish());
        expect(decoded.compares.map(({ operand }) => [operand?.kind, Number(operand?.value)])).toEqual(
          [
            ["version", n],
            ["create", n],
            ["mod", n],
            ["value", key],
            ["lease", n],
          ].map(([kind, value]) => [kind, Number(value)]),
        );
        expect(decoded.compares.every((compare) => compare.result === 1)).toBe(true);
        expect(decoded.compares.map(({ target }) => target)).toEqual([0, 1, 2, 3, 4]);
        expect(decoded.compares.map(({ rangeEnd }) => plain(rangeEnd))).toEqual(Array(5).fill(plain(key)));
        const rangeWire = gen.RangeRequest.encode(range).finish();
        const putWire = gen.PutRequest.encode(put).finish();
        expect(decoded.success).toEqual([
          { kind: "range", request: codec.decodeRangeRequest(rangeWire) },
          { kind: "put", request: codec.decodePutRequest(putWire) },
          {
            kind: "txn",
            request: {
              compares: [],
              success: [{ kind: "put", request: codec.decodePutRequest(putWire) }],
              failure: [],
            },
          },
        ]);
        const deleteWire = gen.DeleteRangeRequest.encode(deleteRange).finish();
        expect(decoded.failure).toEqual([
          { kind: "deleteRange", request: codec.decodeDeleteRangeRequest(deleteWire) },
          { kind: "none" },
        ]);
      }),
    );
  });

  test("a field from a later version, and a known one of another wire type, are passed over", () => {
    const known = gen.PutRequest.encode({
      key: Buffer.from("k"),
      value: Buffer.from("v"),
      lease: 0n,
      prevKv: true,
      ignoreValue: false,
      ignoreLease: false,
    }).finish();
    // Field 1000 as bytes, field 3 (lease) as bytes, field 1 (key) as a varint.
    const strange = Buffer.from([0xc2, 0x3e, 2, 9, 9, 0x1a, 1, 5, 0x08, 7]);
    const decoded = codec.decodePutRequest(Buffer.concat([strange, known, strange]));
    expect(decoded).toEqual(codec.decodePutRequest(Buffer.from(known)));
  });

  test("a limit of 2^63 − 1 means no limit in practice and stays a safe integer", () => {
    const request = { ...gen.RangeRequest.create(), key: Buffer.from("k"), limit: 2n ** 63n - 1n };
    const decoded = codec.decodeRangeRequest(gen.RangeRequest.encode(request).finish());
    expect(decoded.limit).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("transactions nested beyond the bound are refused instead of exhausting the stack", () => {
    const nest = (depth: number): Uint8Array => {
      let wire: Uint8Array = new Uint8Array(0);
      for (let level = 1; level < depth; level++) {
        const inner = wire;
        const writer = new ProtoWriter();
        writer.messageField(2, (op) => op.bytesFieldAlways(4, inner));
        wire = Buffer.from(writer.finish());
      }
      return wire;
    };
    expect(() => codec.decodeTxnRequest(nest(limits.txnDepthMax))).not.toThrow();
    expect(() => codec.decodeTxnRequest(nest(limits.txnDepthMax + 1))).toThrow("TooManyOps");
  });

  test("bytes that are no protobuf are a ProtoError and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (wire) => {
        for (const decode of [
          codec.decodeRangeRequest,
          codec.decodePutRequest,
          codec.decodeDeleteRangeRequest,
          codec.decodeTxnRequest,
          codec.decodeCompactionRequest,
          codec.decodeKeyValue,
        ]) {
          try {
            decode(wire);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtoError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

const pairFields = fc.record({
  key: fc.uint8Array({ maxLength: 300 }),
  createRevision: count,
  modRevision: count,
  version: count,
  value: fc.oneof(bytes, fc.uint8Array({ minLength: 4090, maxLength: 5000 })),
  lease: anyInt64,
});

const genPairOf = (pair: codec.KeyValue): GenKeyValue => ({
  ...pair,
  createRevision: BigInt(pair.createRevision),
  modRevision: BigInt(pair.modRevision),
  version: BigInt(pair.version),
});

describe("stored pairs", () => {
  test("have the bytes that the generated codec writes, and are read back whole and by field", () => {
    const head = new KeyValueHead();
    fc.assert(
      fc.property(pairFields, (pair) => {
        const stored = codec.encodeKeyValue(pair);
        expect(Buffer.compare(stored, GenKeyValue.encode(genPairOf(pair)).finish())).toBe(0);
        expect(withPlainBytes(codec.decodeKeyValue(stored))).toEqual(withPlainBytes(pair));
        expect(codec.storedKey(stored)).toBe(Buffer.from(pair.key).toString("latin1"));
        expect(Buffer.compare(codec.storedValue(stored), pair.value)).toBe(0);
        expect(codec.storedLease(stored)).toBe(pair.lease);
        head.read(stored);
        expect([head.key, head.createRevision, head.version, head.lease]).toEqual([
          codec.storedKey(stored),
          pair.createRevision,
          pair.version,
          pair.lease,
        ]);
      }),
    );
  });

  test("a tombstone holds the key alone", () => {
    const key = Buffer.from("gone");
    const expected = GenKeyValue.encode({ ...GenKeyValue.create(), key }).finish();
    expect(Buffer.compare(encodeTombstone(key), expected)).toBe(0);
  });

  test("a pair is not overwritten by the next ones", () => {
    const make = (number: number): Uint8Array =>
      codec.encodeKeyValue({
        key: Buffer.from(`key ${number}`),
        createRevision: number,
        modRevision: number,
        version: 1,
        value: Buffer.alloc(number * 50, number),
        lease: 0n,
      });
    const pairs = Array.from({ length: 100 }, (_, number) => make(number));
    for (const [number, pair] of pairs.entries()) expect(Buffer.compare(pair, make(number))).toBe(0);
  });
});

describe("answers are written as the generated codec writes them", () => {
  const headerFields = fc.record({
    clusterId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    memberId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    revision: count,
    raftTerm: count,
  });
  const genHeader = (header: codec.ResponseHeader): gen.ResponseHeader => ({
    ...header,
    revision: BigInt(header.revision),
    raftTerm: BigInt(header.raftTerm),
  });
  const innerHeader = (revision: number): gen.ResponseHeader => ({
    clusterId: 0n,
    memberId: 0n,
    revision: BigInt(revision),
    raftTerm: 0n,
  });
  const pairs = fc.array(pairFields, { maxLength: 4 }).map((list) => list.map(codec.encodeKeyValue));
  const decodedPairs = (list: readonly Uint8Array[]): GenKeyValue[] =>
    list.map((pair) => GenKeyValue.decode(pair));
  /** The pairs as a cursor gives them to the encoder. */
  const located = (list: readonly Uint8Array[]): ReadBatch => {
    const batch = new ReadBatch();
    for (const _ of list) batch.add("k", { main: 2, sub: 0, create: 2, version: 1 });
    const budget = { bytesMax: Number.POSITIVE_INFINITY, loadedBytesMax: 1 };
    locateEach(batch, budget, { log: { loadedBytes: 0 }, bytesOf: (at) => list[at]! });
    return batch;
  };
  const same = (parts: readonly Uint8Array[], expected: Uint8Array): void => {
    expect(Buffer.concat(parts).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
  };

  const rangeResult = fc.record({ kvs: pairs, more: fc.boolean(), count, revision: count });
  const putResult = fc.record({
    revision: count,
    prevKv: fc.option(pairFields.map(codec.encodeKeyValue), { nil: undefined }),
  });
  const deleteResult = fc.record({ deleted: count, prevKvs: pairs, revision: count });
  const { txn: txnResult } = fc.letrec<{ txn: TxnResult; op: ResponseOp }>((tie) => ({
    op: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      rangeResult.map((result): ResponseOp => ({ kind: "range", result })),
      putResult.map((result): ResponseOp => ({ kind: "put", result })),
      deleteResult.map((result): ResponseOp => ({ kind: "deleteRange", result })),
      tie("txn").map((result): ResponseOp => ({ kind: "txn", result: result as TxnResult })),
      fc.constant<ResponseOp>({ kind: "none" }),
    ),
    txn: fc.record({
      succeeded: fc.boolean(),
      revision: count,
      responses: fc.array(tie("op") as fc.Arbitrary<ResponseOp>, { maxLength: 4 }),
    }),
  }));

  const genRangeResponse = (
    header: gen.ResponseHeader,
    result: { kvs: readonly Uint8Array[]; more: boolean; count: number },
  ): gen.RangeResponse => ({
    header,
    kvs: decodedPairs(result.kvs),
    more: result.more,
    count: BigInt(result.count),
  });
  const genPutResponse = (
    header: gen.ResponseHeader,
    result: { prevKv: Uint8Array | undefined },
  ): gen.PutResponse => ({
    header,
    prevKv: result.prevKv === undefined ? undefined : GenKeyValue.decode(result.prevKv),
  });
  const genDeleteResponse = (
    header: gen.ResponseHeader,
    result: { deleted: number; prevKvs: readonly Uint8Array[] },
  ): gen.DeleteRangeResponse => ({
    header,
    deleted: BigInt(result.deleted),
    prevKvs: decodedPairs(result.prevKvs),
  });
  const genTxnResponse = (header: gen.ResponseHeader, result: TxnResult): gen.TxnResponse => ({
    header,
    succeeded: result.succeeded,
    responses: result.responses.map(genResponseOp),
  });
  const genResponseOp = (op: ResponseOp): gen.ResponseOp => {
    if (op.kind === "none") return { response: undefined };
    const header = innerHeader(op.kind === "txn" ? 0 : op.result.revision);
    switch (op.kind) {
      case "range":
        return { response: { $case: "responseRange", value: genRangeResponse(header, op.result) } };
      case "put":
        return { response: { $case: "responsePut", value: genPutResponse(header, op.result) } };
      case "deleteRange":
        return { response: { $case: "responseDeleteRange", value: genDeleteResponse(header, op.result) } };
      case "txn":
        return { response: { $case: "responseTxn", value: genTxnResponse(header, op.result) } };
    }
  };

  test("range, put, delete, compaction", () => {
    fc.assert(
      fc.property(headerFields, rangeResult, putResult, deleteResult, (header, ranged, put, deleted) => {
        const full = genHeader(header);
        same(
          codec.encodeRangeResponse(header, ranged),
          gen.RangeResponse.encode(genRangeResponse(full, ranged)).finish(),
        );
        const half = ranged.kvs.length >>> 1;
        const encoder = new codec.RangeEncoder(header);
        encoder.take(located(ranged.kvs.slice(0, half)));
        encoder.take(located(ranged.kvs.slice(half)));
        same(encoder.finish(ranged), gen.RangeResponse.encode(genRangeResponse(full, ranged)).finish());
        same(
          codec.encodePutResponse(header, put),
          gen.PutResponse.encode(genPutResponse(full, put)).finish(),
        );
        same(
          codec.encodeDeleteRangeResponse(header, deleted),
          gen.DeleteRangeResponse.encode(genDeleteResponse(full, deleted)).finish(),
        );
        same(
          codec.encodeCompactionResponse(header),
          gen.CompactionResponse.encode({ header: full }).finish(),
        );
      }),
    );
  });

  test("transactions, nested ones too", () => {
    fc.assert(
      fc.property(headerFields, txnResult, (header, result) => {
        same(
          codec.encodeTxnResponse(header, result),
          gen.TxnResponse.encode(genTxnResponse(genHeader(header), result)).finish(),
        );
      }),
    );
  });

  test("a small answer is one part, a large pair is carried and not copied", () => {
    const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };
    const pair = (size: number): Uint8Array =>
      codec.encodeKeyValue({
        key: Buffer.from("k"),
        createRevision: 2,
        modRevision: 3,
        version: 2,
        value: Buffer.alloc(size),
        lease: 0n,
      });
    const small = { kvs: [pair(10), pair(100)], more: false, count: 2, revision: 3 };
    expect(codec.encodeRangeResponse(header, small)).toHaveLength(1);
    const large = pair(100_000);
    const parts = codec.encodeRangeResponse(header, { ...small, kvs: [pair(10), large, pair(10)] });
    expect(parts).toHaveLength(3);
    expect(parts[1]).toBe(large);
  });
});
