/** What is wrong here is unreadable to etcd's tools, or breaks a cluster whose members run different versions. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyBytes, equalBytes, utf8Bytes } from "../../src/base/bytes.js";
import { ProtoError, ProtoWriter } from "../../src/base/protowire.js";
import * as gen from "../../src/gen/raft.js";
import * as codec from "../../src/raft/codec.js";
import type { ConfChange, ConfChangeV2 } from "../../src/raft/conf-change.js";
import { leaveJointChange } from "../../src/raft/conf-change.js";
import type { Message } from "../../src/raft/message.js";
import { messageTypes } from "../../src/raft/message.js";
import { decodeMessage, encodeMessage, MessageEncoder } from "../../src/raft/message-codec.js";
import type { ConfState, Entry, Snapshot } from "../../src/raft/types.js";
import { EntryType } from "../../src/raft/types.js";

const count = fc.oneof(fc.nat(300), fc.nat(Number.MAX_SAFE_INTEGER - 1));
const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Uint8Array.from(array));
const entryType = fc.constantFrom(0 as const, 1 as const, 2 as const);
const entry: fc.Arbitrary<Entry> = fc.record({ term: count, index: count, type: entryType, data: bytes });
const ids = fc.array(id, { maxLength: 5 });
const confState: fc.Arbitrary<ConfState> = fc.record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});
const snapshot: fc.Arbitrary<Snapshot> = fc.record({
  data: bytes,
  metadata: fc.record({ confState, index: count, term: count }),
});
const changeType = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
const confChange: fc.Arbitrary<ConfChange> = fc.record({
  version: fc.constant(1 as const),
  id,
  type: changeType,
  nodeId: id,
  context: bytes,
});
const confChangeV2: fc.Arbitrary<ConfChangeV2> = fc.record({
  version: fc.constant(2 as const),
  transition: fc.constantFrom(0 as const, 1 as const, 2 as const),
  changes: fc.array(fc.record({ type: changeType, nodeId: id }), { maxLength: 4 }),
  context: bytes,
});

const address = { to: id, from: id, term: count };
const proposal = fc.record({ type: entryType, data: bytes });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constantFrom("MsgTransferLeader" as const, "MsgTimeoutNow" as const), ...address }),
  fc.record({
    type: fc.constant("MsgProp" as const),
    ...address,
    entries: fc.array(
      proposal.map((given) => ({ ...given, term: 0, index: 0 })),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc
    .record({
      type: fc.constant("MsgApp" as const),
      ...address,
      index: fc.nat(1e9),
      logTerm: count,
      commit: count,
      payloads: fc.array(proposal, { maxLength: 5 }),
    })
    .map(({ payloads, ...given }) => {
      const entries = payloads.map((payload, at) => ({
        ...payload,
        term: given.logTerm,
        index: given.index + 1 + at,
      }));
      return { ...given, term: Math.max(given.term, given.logTerm), entries };
    }),
  fc.record({
    type: fc.constant("MsgAppResp" as const),
    ...address,
    index: count,
    reject: fc.boolean(),
    rejectHint: count,
    logTerm: count,
  }),
  fc.record({
    type: fc.constantFrom("MsgVote" as const, "MsgPreVote" as const),
    ...address,
    index: count,
    logTerm: count,
    forced: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom("MsgVoteResp" as const, "MsgPreVoteResp" as const),
    ...address,
    reject: fc.boolean(),
  }),
  fc.record({ type: fc.constant("MsgSnap" as const), ...address, snapshot }),
  fc.record({ type: fc.constant("MsgHeartbeat" as const), ...address, commit: count, context: bytes }),
  fc.record({ type: fc.constant("MsgHeartbeatResp" as const), ...address, context: bytes }),
  fc.record({ type: fc.constant("MsgReadIndex" as const), ...address, context: bytes }),
  fc.record({ type: fc.constant("MsgReadIndexResp" as const), ...address, index: count, context: bytes }),
);

const hex = (given: Uint8Array): string => Buffer.from(given).toString("hex");
/** vitest tells Buffer from Uint8Array; the codec gives slices of either. */
const plain = <Value>(value: Value): Value =>
  value instanceof Uint8Array
    ? (Uint8Array.from(value) as Value)
    : Array.isArray(value)
      ? (value.map(plain) as Value)
      : typeof value === "object" && value !== null
        ? (Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)])) as Value)
        : value;

describe("bytes that etcd 3.7 wrote into its log", () => {
  it("a normal entry has no type, its term and index always", () => {
    const noop: Entry = { term: 2, index: 2, type: 0, data: emptyBytes };
    expect(hex(codec.encodeEntry(noop))).toBe("10021802");
    expect(hex(codec.encodeEntry({ ...noop, term: 0, index: 0 }))).toBe("10001800");
  });

  it("a member change written at bootstrap", () => {
    const context = utf8Bytes('{"id":1}');
    const nodeId = 13_668_033_151_171_901_709n;
    const data = codec.encodeConfChange({ version: 1, id: 0n, type: 0, nodeId, context });
    expect(hex(data)).toBe(`1000188df2f48ec1f7a6d7bd012208${hex(context)}`);
    expect(hex(codec.encodeEntry({ term: 1, index: 1, type: 1, data })).slice(0, 12)).toBe("080110011801");
  });

  it("a hard state has all three fields, a configuration state its auto_leave", () => {
    expect(hex(codec.encodeHardState({ term: 1, vote: 0n, commit: 1 }))).toBe("080110001801");
    const state = { voters: [1n, 2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
    expect(hex(codec.encodeConfState(state))).toBe("080108022800");
  });

  it("leaving a joint configuration is no bytes at all", () => {
    expect(codec.encodeConfChangeV2(leaveJointChange)).toHaveLength(0);
    expect(plain(codec.decodeConfChangeV2(emptyBytes))).toEqual(plain(leaveJointChange));
  });
});

describe("round trips, and agreement with the codec generated from the schema", () => {
  it("entries", () => {
    fc.assert(
      fc.property(entry, (given) => {
        const encoded = codec.encodeEntry(given);
        expect(encoded).toHaveLength(codec.entrySizeBytes(given));
        expect(plain(codec.decodeEntry(encoded))).toEqual(given);
        const generated = gen.Entry.decode(encoded);
        expect(generated.Index).toBe(BigInt(given.index));
        expect(generated.Term).toBe(BigInt(given.term));
        expect(generated.Type).toBe(given.type as number);
        expect(equalBytes(generated.Data!, given.data)).toBe(true);
        expect(plain(codec.decodeEntry(gen.Entry.encode(generated).finish()))).toEqual(given);
      }),
    );
  });

  it("hard states, configuration states and snapshots", () => {
    fc.assert(
      fc.property(count, id, snapshot, (number, vote, given) => {
        const state = { term: number, vote, commit: number };
        expect(codec.decodeHardState(codec.encodeHardState(state))).toEqual(state);
        expect(gen.HardState.decode(codec.encodeHardState(state)).vote).toBe(vote);
        const encoded = codec.encodeSnapshot(given);
        expect(plain(codec.decodeSnapshot(encoded))).toEqual(given);
        const generated = gen.Snapshot.decode(encoded);
        expect(generated.metadata?.confState?.votersOutgoing).toEqual(
          given.metadata.confState.votersOutgoing,
        );
        expect(plain(codec.decodeSnapshot(gen.Snapshot.encode(generated).finish()))).toEqual(given);
        const { metadata } = given;
        expect(codec.decodeSnapshotMetadata(codec.encodeSnapshotMetadata(metadata))).toEqual(metadata);
        expect(codec.decodeConfState(codec.encodeConfState(metadata.confState))).toEqual(metadata.confState);
      }),
    );
  });

  it("membership changes", () => {
    fc.assert(
      fc.property(confChange, confChangeV2, (first, second) => {
        expect(plain(codec.decodeConfChange(codec.encodeConfChange(first)))).toEqual(first);
        expect(plain(codec.decodeConfChangeV2(codec.encodeConfChangeV2(second)))).toEqual(second);
        const firstAgain = gen.ConfChange.encode(gen.ConfChange.decode(codec.encodeConfChange(first)));
        expect(plain(codec.decodeConfChange(firstAgain.finish()))).toEqual(first);
        const secondAgain = gen.ConfChangeV2.encode(
          gen.ConfChangeV2.decode(codec.encodeConfChangeV2(second)),
        );
        expect(plain(codec.decodeConfChangeV2(secondAgain.finish()))).toEqual(second);
      }),
    );
  });

  it("messages", () => {
    fc.assert(
      fc.property(message, (given) => {
        const encoded = encodeMessage(given);
        expect(plain(decodeMessage(encoded))).toEqual(given);
        const generated = gen.Message.decode(encoded);
        expect(messageTypes[Number(generated.type)]).toBe(given.type);
        expect(plain(decodeMessage(gen.Message.encode(generated).finish()))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  it("messages of one turn, to one follower and to the next, as each alone", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (given) => {
        const encoder = new MessageEncoder();
        for (const each of given) {
          for (const to of [each.to, each.to + 1n]) {
            const parts = encoder.encode({ ...each, to });
            expect(Buffer.concat(parts)).toEqual(Buffer.from(encodeMessage({ ...each, to })));
          }
        }
      }),
    );
  });

  it("appends that begin alike and end otherwise, each with its own entries", () => {
    const entry = (index: number, text: string) => ({
      ...{ term: 1, index, type: EntryType.Normal, data: Buffer.from(text) },
    });
    const [first, second, third] = [entry(5, "first"), entry(6, "second"), entry(6, "third")];
    const encoder = new MessageEncoder();
    for (const entries of [[first, second], [first, third], [first], [second], [first, third]]) {
      const common = { from: 1n, to: 2n, term: 1, logTerm: 1, index: entries[0]!.index - 1, commit: 4 };
      const given = { type: "MsgApp", ...common, entries } as const;
      expect(Buffer.concat(encoder.encode(given))).toEqual(Buffer.from(encodeMessage(given)));
    }
  });

  it("a packed list of ids, which another encoder may write", () => {
    const writer = new ProtoWriter();
    writer.messageField(1, (nested) => nested.varintBig(1n).varintBig(2n ** 64n - 1n));
    expect(codec.decodeConfState(writer.finish()).voters).toEqual([1n, 2n ** 64n - 1n]);
  });
});

describe("a bad message is refused, not believed", () => {
  const app = { type: 3, to: 1n, from: 2n, term: 3n, index: 4n, logTerm: 2n, responses: [] };
  const encodeGenerated = (fields: gen.DeepPartial<gen.Message>): Uint8Array =>
    gen.Message.encode(gen.Message.fromPartial(fields as never)).finish();

  it.each([
    ["cut short", encodeGenerated({ type: 8, context: new Uint8Array(8) }).subarray(0, 6)],
    ["of an unknown type", encodeGenerated({ type: 99 as never })],
    ["local to a member", encodeGenerated({ type: 0 })],
    ["forgetting a leader from afar", encodeGenerated({ type: 23 })],
    ["a term beyond 2^53", encodeGenerated({ type: 8, term: 2n ** 60n })],
    ["a term beyond 2^63", encodeGenerated({ type: 8, term: 2n ** 63n + 5n })],
    ["a gap between entries", encodeGenerated({ ...app, entries: [{ Index: 6n, Term: 3n }] })],
    ["an entry newer than its leader", encodeGenerated({ ...app, entries: [{ Index: 5n, Term: 4n }] })],
    ["an entry older than the one before", encodeGenerated({ ...app, entries: [{ Index: 5n, Term: 1n }] })],
    [
      "an unknown entry type",
      encodeGenerated({ ...app, entries: [{ Index: 5n, Term: 3n, Type: 7 as never }] }),
    ],
    ["a proposal of nothing", encodeGenerated({ type: 2 })],
    ["a read without context", encodeGenerated({ type: 15 })],
    ["a snapshot message without snapshot", encodeGenerated({ type: 7 })],
  ])("%s", (_, encoded) => {
    expect(() => decodeMessage(encoded)).toThrow(ProtoError);
  });

  it("any bytes decode or are a ProtoError, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (given) => {
        try {
          decodeMessage(given);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtoError);
        }
      }),
    );
  });
});
