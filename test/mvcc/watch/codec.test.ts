/** The codecs of the Watch service against the generated ones. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.js";
import { WatchCreateRequest, WatchRequest, WatchResponse } from "../../../src/gen/etcdserver.js";
import { KeyValue } from "../../../src/gen/kv.js";
import { decodeWatchRequest, encodeWatchAnswer, encodeWatchEvents } from "../../../src/mvcc/watch/codec.js";
import { EncodedEvents } from "../../../src/mvcc/watch/event-batch.js";
import { WatchOption } from "../../../src/mvcc/watch/watch.js";

const bytes = fc.uint8Array({ maxLength: 4 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const watchId = fc.oneof(fc.constantFrom(0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)), int64);

test("a create request is read as the generated code wrote it", () => {
  const create = fc.record({
    key: bytes,
    rangeEnd: bytes,
    startRevision: fc.bigInt({ min: -5n, max: 2n ** 53n - 1n }),
    progressNotify: fc.boolean(),
    filters: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    prevKv: fc.boolean(),
    watchId,
    fragment: fc.boolean(),
  });
  fc.assert(
    fc.property(create, (parts) => {
      const value = WatchCreateRequest.fromPartial(parts);
      const encoded = WatchRequest.encode({ requestUnion: { $case: "createRequest", value } }).finish();
      const decoded = decodeWatchRequest(encoded);
      if (decoded.kind !== "create") throw new Error(decoded.kind);
      const { key, rangeEnd, startRevision, options } = decoded.create;
      const has = (option: number) => (options & option) !== 0;
      expect({
        key: Uint8Array.from(key),
        rangeEnd: Uint8Array.from(rangeEnd),
        startRevision: BigInt(startRevision),
        watchId: BigInt(decoded.create.watchId),
        flags: [WatchOption.ProgressNotify, WatchOption.PrevKv, WatchOption.Fragment].map(has),
        filtered: [has(WatchOption.NoPut), has(WatchOption.NoDelete)],
      }).toEqual({
        key: parts.key,
        rangeEnd: parts.rangeEnd,
        startRevision: parts.startRevision,
        watchId: parts.watchId,
        flags: [parts.progressNotify, parts.prevKv, parts.fragment],
        filtered: [parts.filters.includes(0), parts.filters.includes(1)],
      });
    }),
  );
});

test("the other requests are told apart, and an empty one is none", () => {
  fc.assert(
    fc.property(watchId, (id) => {
      const cancel = { requestUnion: { $case: "cancelRequest" as const, value: { watchId: id } } };
      const decoded = decodeWatchRequest(WatchRequest.encode(cancel).finish());
      expect(decoded).toMatchObject({ kind: "cancel" });
      if (decoded.kind === "cancel") expect(BigInt(decoded.watchId)).toBe(id);
    }),
  );
  const progress = { requestUnion: { $case: "progressRequest" as const, value: {} } };
  expect(decodeWatchRequest(WatchRequest.encode(progress).finish())).toEqual({ kind: "progress" });
  expect(decodeWatchRequest(new Uint8Array(0))).toEqual({ kind: "none" });
  // A filter that is not packed, behind a field that nobody knows.
  expect(decodeWatchRequest(Uint8Array.of(0x0a, 4, 0x78, 1, 0x28, 1))).toMatchObject({
    kind: "create",
    create: { options: WatchOption.NoDelete },
  });
});

test("bytes that are no request are refused", () => {
  expect(() => decodeWatchRequest(Uint8Array.of(0x0a, 9, 1))).toThrow("unexpected EOF");
});

test("an answer is read by the generated code as it was meant", () => {
  const answer = fc.record({
    watchId,
    created: fc.boolean(),
    canceled: fc.boolean(),
    compactRevision: fc.integer({ min: 0 }),
    cancelReason: fc.string(),
  });
  fc.assert(
    fc.property(answer, (parts) => {
      const header = { clusterId: 0xffff_ffff_ffff_fff1n, memberId: 7n, revision: 9, raftTerm: 3 };
      const decoded = WatchResponse.decode(concatBytes(encodeWatchAnswer(header, parts)));
      expect(decoded).toEqual({
        header: { clusterId: header.clusterId, memberId: 7n, revision: 9n, raftTerm: 3n },
        ...parts,
        compactRevision: BigInt(parts.compactRevision),
        fragment: false,
        events: [],
      });
    }),
  );
});

test("events go to each watch under its own id, in whatever order watches, batches and revisions take turns", () => {
  const pair = (valueBytes: number) => {
    const value = new Uint8Array(valueBytes).fill(valueBytes);
    return KeyValue.encode(KeyValue.fromPartial({ key: Uint8Array.of(1), value })).finish();
  };
  const batches = [[1], [300], [2, 3], [450], [520], [5_000], [20_000, 1]].map(
    (sizes) =>
      new EncodedEvents(sizes.map((size) => ({ kind: "put", pair: pair(size), previous: undefined }))),
  );
  const told = fc.record({
    id: fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(100, 127, 128, -1, 2 ** 53 - 1), watchId),
    batch: fc.nat({ max: batches.length - 1 }),
    revision: fc.integer({ min: 1, max: 2 }),
    fragment: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(told, { maxLength: 40 }), (all) => {
      for (const { id, batch, revision, fragment } of all) {
        const events = batches[batch]!;
        const header = { clusterId: 5n, memberId: 7n, revision, raftTerm: 3 };
        const bytes = concatBytes([encodeWatchEvents(header, id, events, fragment)].flat());
        const decoded = WatchResponse.decode(bytes);
        expect(decoded).toMatchObject({
          header: { clusterId: 5n, memberId: 7n, revision: BigInt(revision), raftTerm: 3n },
          watchId: BigInt(id),
          fragment,
        });
        expect(Buffer.compare(bytes.subarray(-events.bytes), concatBytes(events.parts))).toBe(0);
        expect(decoded.events).toHaveLength(events.count);
      }
    }),
  );
});
