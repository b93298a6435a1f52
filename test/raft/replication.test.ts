/** An entry that is committed and then lost, or a follower that never catches up: both come from here. */
import { describe, expect, it } from "vitest";
import { emptyBytes, utf8Bytes } from "../../src/base/bytes.js";
import { entrySizeBytes } from "../../src/raft/codec.js";
import type { AppendMessage, Message } from "../../src/raft/message.js";
import type { Options } from "./network.js";
import { confState, entry, logOf, Network, network, Peer, payload, snapshotAt } from "./network.js";

const noLimit = Number.POSITIVE_INFINITY;
const appendsOf = (messages: readonly Message[]): AppendMessage[] =>
  messages.filter((message) => message.type === "MsgApp");
const pages = (messages: readonly Message[]): number[] =>
  appendsOf(messages).map(({ entries }) => entries.length);

/** A leader of members 1 and 2 at term 1 that has replicated its first entry, and nothing else on its way. */
function leader(options: Options = {}): Peer {
  const peer = new Peer(1n, logOf(confState([1n, 2n])), options);
  peer.node.campaign();
  peer.drain();
  peer.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 1, reject: false });
  peer.drain();
  acknowledge(peer, 1);
  peer.drain();
  return peer;
}

function acknowledge(peer: Peer, index: number, from = 2n): void {
  const { term } = peer.node.state;
  peer.node.step({ type: "MsgAppResp", to: 1n, from, term, index, reject: false, rejectHint: 0, logTerm: 0 });
}

const progressOf = (peer: Peer) => peer.node.state.tracker.progress.get(2n)!;
const beatAnswer = (peer: Peer): void => {
  peer.node.step({ type: "MsgHeartbeatResp", to: 1n, from: 2n, term: 1, context: emptyBytes });
};

describe("committing", () => {
  it("a proposal reaches all, and is applied once by each in order", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.propose(1, "a", "b");
    cluster.propose(2, "c");
    cluster.beat(1);
    for (const peer of cluster.peers.values()) expect(peer.appliedTexts).toEqual(["a", "b", "c"]);
  });

  it.each([
    [3, [3], ["x"]],
    [3, [2, 3], []],
    [5, [4, 5], ["x"]],
    [5, [3, 4, 5], []],
  ])("of %i members, with %j cut off", (count, cut, applied) => {
    const cluster = network(count);
    cluster.elect(1);
    cluster.isolate(...cut);
    cluster.propose(1, "x");
    expect(cluster.peer(1).appliedTexts).toEqual(applied);
  });

  it("a learner gets entries and does not count", () => {
    const members = confState([1n], { learners: [2n] });
    const cluster = new Network([1n, 2n].map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.beat(1);
    expect(cluster.peer(2).appliedTexts).toEqual(["x"]);
    cluster.isolate(2);
    cluster.propose(1, "y");
    expect(cluster.peer(1).appliedTexts).toEqual(["x", "y"]);
  });

  it("entries of earlier terms are committed only by one of the leader's own", () => {
    const cluster = network(5);
    cluster.elect(1);
    cluster.isolate(3, 4, 5);
    cluster.propose(1, "x", "y");
    expect(cluster.node(1).state.log.committed).toBe(1);
    cluster.passes = ({ from, to, type }) => ![from, to].includes(1n) && type !== "MsgApp";
    cluster.elect(2);
    expect(cluster.roles()[1]).toBe("leader 2");
    cluster.passes = ({ from, to }) => ![from, to].includes(1n);
    const own = cluster.node(2).state.log.lastIndex();
    // Everyone acknowledges up to the entry before the leader's own: that commits nothing.
    for (const from of [3n, 4n, 5n]) acknowledgeTo(cluster.peer(2), from, own - 1);
    expect(cluster.node(2).state.log.committed).toBe(1);
    for (const from of [3n, 4n]) acknowledgeTo(cluster.peer(2), from, own);
    expect(cluster.node(2).state.log.committed).toBe(own);
  });

  it("what is durable here does not delay the followers, and only counts when it is", () => {
    const peer = leader({ asyncStorageWrites: false });
    expect(peer.node.state.log.committed).toBe(1);
    const async = new Peer(1n, logOf(confState([1n, 2n, 3n])), { asyncStorageWrites: true });
    async.node.campaign();
    const votes = async.node.ready().messages.at(-1);
    if (votes?.type !== "MsgStorageAppend") throw new Error("no append");
    for (const response of votes.responses) async.node.step(response);
    async.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 1, reject: false });
    const ready = async.node.ready();
    expect(pages(ready.messages)).toEqual([1, 1]);
    // Both followers hold it; the leader's own disk is not needed.
    acknowledgeTo(async, 2n, 1);
    expect(async.node.state.log.committed).toBe(0);
    acknowledgeTo(async, 3n, 1);
    expect(async.node.state.log.committed).toBe(1);
    // It is applied here only when it is durable here.
    expect(async.node.ready().committedEntries).toEqual([]);
    const append = ready.messages.at(-1);
    if (append?.type !== "MsgStorageAppend") throw new Error("no append");
    for (const response of append.responses) async.node.step(response);
    expect(async.node.ready().committedEntries).toHaveLength(1);
  });

  function acknowledgeTo(peer: Peer, from: bigint, index: number): void {
    const { id, term } = peer.node.state;
    peer.node.step({
      type: "MsgAppResp",
      to: id,
      from,
      term,
      index,
      reject: false,
      rejectHint: 0,
      logTerm: 0,
    });
  }
});

describe("proposals that are dropped, and why", () => {
  it("without a leader, where forwarding is off, while leadership is handed over, when removed", () => {
    const cluster = network(3, { disableProposalForwarding: true });
    const propose = (id: number) => cluster.node(id).propose(payload("x"));
    expect(propose(1)).toEqual({ kind: "dropped", reason: "noLeader" });
    cluster.elect(1);
    expect(propose(2)).toEqual({ kind: "dropped", reason: "notForwarded" });
    cluster.isolate(3);
    cluster.node(1).transferLeadership(3n);
    expect(propose(1)).toEqual({ kind: "dropped", reason: "transferring" });
    cluster.peer(1).tick(10);
    cluster.node(1).applyConfChange({ version: 1, id: 0n, type: 1, nodeId: 1n, context: emptyBytes });
    expect(propose(1)).toEqual({ kind: "dropped", reason: "removed" });
  });

  it("a change that can not be read, as a follower might pass on", () => {
    const peer = leader();
    const entries = [{ type: 1 as const, data: utf8Bytes("\u0008") }];
    const outcome = peer.node.step({ type: "MsgProp", to: 1n, from: 2n, term: 0, entries });
    expect(outcome).toEqual({ kind: "dropped", reason: "malformed" });
  });

  it("the uncommitted tail is bounded in bytes, but for one proposal and for empty ones", () => {
    const peer = leader({ uncommittedBytesMax: 10 });
    const big = [new Uint8Array(100)];
    expect(peer.node.propose(big).kind).toBe("accepted");
    expect(peer.node.propose(payload("x"))).toEqual({ kind: "dropped", reason: "uncommittedBytes" });
    expect(peer.node.propose([emptyBytes]).kind).toBe("accepted");
    peer.drain();
    acknowledge(peer, 3);
    peer.drain();
    expect(peer.node.propose(payload("x")).kind).toBe("accepted");
    expect(peer.node.propose(payload("123456789")).kind).toBe("accepted");
    expect(peer.node.propose(payload("x")).kind).toBe("dropped");
  });
});

describe("flow to a follower", () => {
  it("while probing one message goes out, the next with an answer to a heartbeat", () => {
    const peer = leader();
    peer.node.reportUnreachable(2n);
    for (const text of ["a", "b", "c"]) peer.node.propose(payload(text));
    expect(pages(peer.drain())).toEqual([1]);
    for (let round = 0; round < 3; round++) {
      peer.node.tick();
      expect(pages(peer.drain())).toEqual([]);
      beatAnswer(peer);
      expect(pages(peer.drain())).toEqual([3]);
    }
    acknowledge(peer, 4);
    peer.drain();
    peer.node.propose(payload("d"));
    peer.node.propose(payload("e"));
    expect(pages(peer.drain())).toEqual([1, 1]);
  });

  it("the window is bounded in messages", () => {
    const peer = leader({ inflightMessagesMax: 3, appendMessageBytesMax: 0 });
    for (let count = 0; count < 5; count++) peer.node.propose(payload("x"));
    expect(pages(peer.drain())).toEqual([1, 1, 1]);
    // The window moves with acknowledgements, several at once, and not with old ones.
    acknowledge(peer, 3);
    expect(pages(peer.drain())).toEqual([1, 1]);
    acknowledge(peer, 2);
    for (let count = 0; count < 5; count++) peer.node.propose(payload("x"));
    expect(pages(peer.drain())).toEqual([]);
    acknowledge(peer, 4);
    expect(pages(peer.drain())).toEqual([1]);
  });

  it("the window is bounded in bytes, which one message may pass", () => {
    const peer = leader({ inflightBytesMax: 100, appendMessageBytesMax: 50 });
    for (let count = 0; count < 5; count++) peer.node.propose([new Uint8Array(40)]);
    expect(pages(peer.drain())).toEqual([1, 1, 1]);
    expect(progressOf(peer).inflightBytes).toBe(120);
    acknowledge(peer, 4);
    expect(pages(peer.drain())).toEqual([1, 1]);
  });

  it("a full window lets one empty message out per answered heartbeat, to find out if all was lost", () => {
    const peer = leader({ inflightMessagesMax: 2 });
    for (let count = 0; count < 4; count++) peer.node.propose(payload("x"));
    expect(pages(peer.drain())).toEqual([1, 1]);
    beatAnswer(peer);
    beatAnswer(peer);
    expect(pages(peer.drain())).toEqual([0, 0]);
    const answer = { index: 3, reject: true, rejectHint: 1, logTerm: 1 };
    peer.node.step({ type: "MsgAppResp", to: 1n, from: 2n, term: 1, ...answer });
    expect(pages(peer.drain())).toEqual([4]);
    expect(progressOf(peer).state).toBe("probe");
  });

  it("pages by size", () => {
    const one = entrySizeBytes(entry(1, 2, "x"));
    const peer = leader({ appendMessageBytesMax: 2 * one });
    peer.node.propose(["a", "b", "c", "d", "e"].map(utf8Bytes));
    expect(pages(peer.drain())).toEqual([2]);
    acknowledge(peer, 3);
    expect(pages(peer.drain())).toEqual([2, 1]);
  });

  it("a doubled or late refusal changes nothing", () => {
    const peer = leader();
    peer.node.propose(payload("x"));
    peer.drain();
    acknowledge(peer, 2);
    peer.drain();
    const answer = { index: 1, reject: true, rejectHint: 0, logTerm: 0 };
    peer.node.step({ type: "MsgAppResp", to: 1n, from: 2n, term: 1, ...answer });
    expect([progressOf(peer).state, progressOf(peer).match, peer.drain()]).toEqual(["replicate", 2, []]);
  });
});

describe("finding where two logs agree, in few steps", () => {
  /** Terms of the logs, and how many append messages at most until they are the same. */
  const cases: [leader: number[], follower: number[], messagesMax: number][] = [
    [[1, 2, 2, 4, 4, 4, 4], [1, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4], 2],
    [[1, 2, 2, 3, 4, 4, 4, 5], [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3], 3],
    [[1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1], 3],
    [[1, 3, 3, 3, 5, 5, 5, 5, 5], [1, 1, 1, 1, 2, 2], 3],
    [[1, 3, 3, 3, 3, 3, 3, 3, 7], [1, 3, 3, 4, 4, 5, 5, 5, 6], 4],
    [[1, 1, 1, 4, 4, 4], [2, 2, 2, 2, 2], 3],
  ];
  it.each(cases)("leader %j, follower %j: at most %i messages", (mine, theirs, messagesMax) => {
    const term = Math.max(...mine, ...theirs) + 1;
    const ids = [1n, 2n, 3n];
    const hardState = { term, vote: 0n, commit: 0 };
    const logs = [mine, theirs, []];
    const cluster = new Network(
      ids.map((id, at) => new Peer(id, logOf(confState(ids), logs[at], hardState))),
    );
    let count = 0;
    cluster.passes = ({ type, from, to }) => {
      if (type === "MsgVote" && to === 2n) return false;
      if (type === "MsgApp" && from === 1n && to === 2n) count++;
      return true;
    };
    cluster.elect(1);
    expect(cluster.roles()[0]).toBe(`leader ${term + 1}`);
    const all = (id: number) => cluster.node(id).state.log.entriesFrom(1, noLimit);
    expect(all(2)).toEqual(all(1));
    // One more carries the commit index.
    expect(count).toBeLessThanOrEqual(messagesMax + 1);
  });
});

describe("snapshots", () => {
  /** A leader whose log begins at 12, of members 1 and 2; 2 has nothing. */
  function cutLeader(): Peer {
    const log = logOf(confState([1n, 2n]), []);
    log.applySnapshot(snapshotAt(11, 5, confState([1n, 2n])));
    log.setHardState({ term: 5, vote: 0n, commit: 11 });
    const peer = new Peer(1n, log, { applied: 11 });
    peer.node.campaign();
    peer.drain();
    peer.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 6, reject: false });
    peer.drain();
    const answer = { index: 11, reject: true, rejectHint: 0, logTerm: 0 };
    peer.node.step({ type: "MsgAppResp", to: 1n, from: 2n, term: 6, ...answer });
    return peer;
  }

  it("go to who needs entries that were cut, and nothing more goes meanwhile", () => {
    const peer = cutLeader();
    expect(peer.drain().map(({ type }) => type)).toEqual(["MsgSnap"]);
    expect([progressOf(peer).state, progressOf(peer).pendingSnapshot]).toEqual(["snapshot", 11]);
    peer.node.propose(payload("x"));
    beatAnswer6(peer);
    expect(peer.drain()).toEqual([]);
  });

  it("not to who does not answer", () => {
    const peer = cutLeader();
    peer.drain();
    peer.node.reportSnapshot(2n, false);
    progressOf(peer).recentActive = false;
    peer.node.propose(payload("x"));
    expect(peer.drain()).toEqual([]);
  });

  it("lost: tried again with the next answer", () => {
    const peer = cutLeader();
    peer.drain();
    peer.node.reportSnapshot(2n, false);
    expect([progressOf(peer).state, progressOf(peer).next]).toEqual(["probe", 1]);
    expect(peer.drain()).toEqual([]);
    beatAnswer6(peer);
    expect(peer.drain().map(({ type }) => type)).toEqual(["MsgSnap"]);
  });

  it("arrived: probed behind it", () => {
    const peer = cutLeader();
    peer.drain();
    peer.node.reportSnapshot(2n, true);
    expect([progressOf(peer).state, progressOf(peer).next]).toEqual(["probe", 12]);
    expect(peer.drain()).toEqual([]);
    acknowledgeSnapshot(peer);
    expect([progressOf(peer).state, progressOf(peer).match]).toEqual(["replicate", 11]);
    expect(pages(peer.drain())).toEqual([1]);
  });

  it("installed before the transport said so: replication goes on", () => {
    const peer = cutLeader();
    peer.drain();
    acknowledgeSnapshot(peer);
    expect(progressOf(peer).state).toBe("replicate");
    expect(pages(peer.drain())).toEqual([1]);
  });

  it("replace a follower's log and membership, once", () => {
    const follower = new Peer(2n, logOf(confState([1n, 2n])));
    const members = confState([1n, 2n, 3n], { learners: [4n] });
    const snapshot = snapshotAt(11, 5, members);
    follower.node.step({ type: "MsgSnap", to: 2n, from: 1n, term: 5, snapshot });
    const ready = follower.work();
    expect(ready.snapshot?.metadata.index).toBe(11);
    expect(follower.node.status().config).toEqual(members);
    expect([follower.log.firstIndex(), follower.log.term(11)]).toEqual([12, 5]);
    expect(follower.node.status().applied).toBe(11);
    follower.node.step({ type: "MsgSnap", to: 2n, from: 1n, term: 5, snapshot });
    const again = follower.work();
    expect(again.snapshot).toBeUndefined();
    expect(again.messages).toMatchObject([{ type: "MsgAppResp", index: 11 }]);
  });

  it("only move the commit index where the log has it all", () => {
    const follower = new Peer(2n, logOf(confState([1n, 2n]), [1, 1, 1]));
    const snapshot = snapshotAt(2, 1, confState([1n, 2n]));
    follower.node.step({ type: "MsgSnap", to: 2n, from: 1n, term: 1, snapshot });
    const ready = follower.work();
    expect([ready.snapshot, follower.node.state.log.committed, follower.log.lastIndex()]).toEqual([
      undefined,
      2,
      3,
    ]);
  });

  it("that do not name the receiver are ignored", () => {
    const follower = new Peer(2n, logOf(confState([1n, 2n])));
    const snapshot = snapshotAt(11, 5, confState([1n, 3n]));
    follower.node.step({ type: "MsgSnap", to: 2n, from: 1n, term: 5, snapshot });
    expect(follower.work().snapshot).toBeUndefined();
    expect(follower.node.state.log.lastIndex()).toBe(0);
  });

  it("who is installing one does not stand for election", () => {
    const follower = new Peer(2n, logOf(confState([1n, 2n])));
    follower.node.step({
      type: "MsgSnap",
      to: 2n,
      from: 1n,
      term: 5,
      snapshot: snapshotAt(11, 5, confState([1n, 2n])),
    });
    follower.node.campaign();
    expect(follower.node.state.role).toBe("follower");
    follower.drain();
    follower.node.campaign();
    expect(follower.node.state.role).toBe("candidate");
  });

  function beatAnswer6(peer: Peer): void {
    peer.node.step({ type: "MsgHeartbeatResp", to: 1n, from: 2n, term: 6, context: emptyBytes });
  }
  function acknowledgeSnapshot(peer: Peer): void {
    const answer = { index: 11, reject: false, rejectHint: 0, logTerm: 0 };
    peer.node.step({ type: "MsgAppResp", to: 1n, from: 2n, term: 6, ...answer });
  }
});

describe("starting again", () => {
  it("goes on where the hard state and the store were", () => {
    const log = logOf(confState([1n, 2n]), [1, 1, 2], { term: 2, vote: 2n, commit: 2 });
    const peer = new Peer(1n, log, { applied: 1 });
    expect(peer.node.status()).toMatchObject({ term: 2, vote: 2n, commit: 2, applied: 1, role: "follower" });
    const ready = peer.work();
    expect(ready.committedEntries.map(({ index }) => index)).toEqual([2]);
    expect([ready.hardState, ready.mustSync, peer.node.hasReady()]).toEqual([undefined, false, false]);
  });

  it("a store ahead of the commit index, which is stored without a sync, is believed", () => {
    const log = logOf(confState([1n, 2n]), [1, 1, 2], { term: 2, vote: 2n, commit: 1 });
    expect(new Peer(1n, log, { applied: 3 }).node.status()).toMatchObject({ commit: 3, applied: 3 });
  });

  it("stops where the log that was stored lost what was committed", () => {
    expect(() => new Peer(1n, logOf(confState([1n]), [1], { term: 1, vote: 0n, commit: 2 }))).toThrow(
      /lies in the log/,
    );
    expect(() => new Peer(1n, logOf(confState([1n]), [1]), { applied: 2 })).toThrow(/lies in the log/);
  });

  it("committed entries come in pages of the size asked for, none twice and none left out", () => {
    // etcd once left out an entry where a page ended between two of unlike size.
    const sizes = [10, 2000, 1, 1, 500, 3000, 3, 10, 10, 1];
    const log = logOf(confState([1n]));
    log.append(sizes.map((size, at) => ({ term: 1, index: at + 1, type: 0, data: new Uint8Array(size) })));
    log.setHardState({ term: 1, vote: 1n, commit: sizes.length - 1 });
    const committedBytesMax = 2048;
    const peer = new Peer(1n, log, { committedBytesMax });
    const seen: number[] = [];
    while (peer.node.hasReady()) {
      const { committedEntries } = peer.work();
      seen.push(...committedEntries.map(({ index }) => index));
      const bytes = committedEntries.reduce((sum, each) => sum + entrySizeBytes(each), 0);
      expect(committedEntries.length === 1 || bytes <= committedBytesMax).toBe(true);
    }
    expect(seen).toEqual(sizes.slice(1).map((_, at) => at + 1));
  });
});

it("a thousand entries of one proposal are one message, one write and one page to apply", () => {
  const peer = leader();
  peer.node.propose(Array.from({ length: 1000 }, (_, at) => utf8Bytes(`${at}`)));
  const ready = peer.work();
  expect([ready.entries.length, pages(ready.messages)]).toEqual([1000, [1000]]);
  acknowledge(peer, 1001);
  expect(peer.work().committedEntries).toHaveLength(1000);
});
