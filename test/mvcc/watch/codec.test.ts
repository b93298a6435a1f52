/** The codecs of the Watch service against the generated ones. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.js";
import { WatchCreateRequest, WatchRequest, WatchResponse } from "../../../src/gen/etcdserver.js";
import { decodeWatchRequest, encodeWatchAnswer } from "../../../src/mvcc/watch/codec.js";
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
