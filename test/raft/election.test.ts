/** Two leaders of one term, or none for ever: what goes wrong here stops or splits a cluster. */
import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.js";
import { seededRandom } from "../../src/base/prng.js";
import type { Message, VoteMessage } from "../../src/raft/message.js";
import type { Network } from "./network.js";
import { confState, entry, logOf, network, Peer, payload } from "./network.js";

const types = (messages: readonly Message[]): string[] => messages.map(({ type, to }) => `${type}>${to}`);
const vote = (more: Partial<VoteMessage>): VoteMessage => ({
  type: "MsgVote",
  to: 1n,
  from: 2n,
  term: 2,
  index: 9,
  logTerm: 9,
  forced: false,
  ...more,
});
const both = describe.each([{ preVote: false }, { preVote: true }]);

both("winning, with $preVote preliminary election", (options) => {
  it.each([
    [3, [], "leader"],
    [3, [3], "leader"],
    [5, [4, 5], "leader"],
  ])("of %i members, without %j: %s", (count, cut, role) => {
    const cluster = network(count, options);
    cluster.isolate(...cut);
    cluster.elect(1);
    expect(cluster.roles()[0]).toBe(`${role} 1`);
  });

  it.each([
    [3, [2, 3]],
    [5, [3, 4, 5]],
  ])("of %i members, not without %j, however often", (count, cut) => {
    const cluster = network(count, options);
    cluster.isolate(...cut);
    cluster.elect(1);
    cluster.elect(1);
    expect(cluster.roles()[0]).toBe(options.preVote ? "preCandidate 0" : "candidate 2");
  });

  it("a lone member is its own majority", () => {
    const cluster = network(1, options);
    cluster.elect(1);
    expect(cluster.roles()).toEqual(["leader 1"]);
  });

  it("everyone in turn", () => {
    const cluster = network(3, options);
    for (const id of [1, 2, 3, 1]) {
      cluster.elect(id);
      expect(cluster.node(id).state.role).toBe("leader");
      expect(cluster.roles().filter((role) => role.startsWith("leader"))).toHaveLength(1);
    }
  });

  it("not with a log that lacks what others have", () => {
    const cluster = network(3, options, [[1], [1, 2], [1, 2]]);
    cluster.elect(1);
    expect(cluster.node(1).state.role).not.toBe("leader");
    cluster.elect(2);
    expect(cluster.node(2).state.role).toBe("leader");
    expect(cluster.lastIndexes()).toEqual([3, 3, 3]);
  });

  it("a later leader replaces what was never committed, though of a later term than its own", () => {
    // 3 led term 2 by the votes of 4 and 5, and wrote an entry that reached only 4.
    const cluster = network(5, options, [[1], [1], [2], [2], []]);
    for (const id of [3, 4, 5]) {
      cluster.node(id).state.term = 2;
      cluster.node(id).state.vote = 3n;
    }
    cluster.elect(1);
    expect(cluster.node(1).state.role).toBe("follower");
    cluster.elect(1);
    expect(cluster.roles()[0]).toBe("leader 3");
    for (const { node } of cluster.peers.values()) {
      expect([node.state.log.term(1), node.state.log.last()]).toEqual([1, { term: 3, index: 2 }]);
    }
  });
});

describe("votes", () => {
  it.each([
    ["not given yet", {}, { term: 1 }, true],
    ["given to the same before", { vote: 2n }, {}, true],
    ["given to another before", { vote: 3n }, {}, false],
    ["a leader is known", { leader: 3n }, {}, false],
    ["the log here is longer", {}, { index: 1, logTerm: 1 }, false],
    ["the log here is of a later term", {}, { index: 9, logTerm: 0 }, false],
  ])("%s", (_, own: { vote?: bigint; leader?: bigint }, asked: Partial<VoteMessage>, granted) => {
    const peer = new Peer(
      1n,
      logOf(confState([1n, 2n, 3n]), [1, 1], { term: 1, vote: own.vote ?? 0n, commit: 0 }),
    );
    if (own.leader !== undefined) peer.node.state.leader = own.leader;
    peer.node.step(vote({ term: 1, ...asked }));
    expect(peer.drain()).toEqual([{ type: "MsgVoteResp", to: 2n, from: 1n, term: 1, reject: !granted }]);
    if (granted) expect(peer.node.state.vote).toBe(2n);
  });

  it("are durable before they are sent, also a candidate's own", () => {
    const peer = new Peer(1n, logOf(confState([1n, 2n, 3n])), { asyncStorageWrites: true });
    peer.node.campaign();
    const ready = peer.node.ready();
    expect(types(ready.messages)).toEqual([
      "MsgVote>2",
      "MsgVote>3",
      "MsgStorageAppend>18446744073709551615",
    ]);
    expect(ready.mustSync).toBe(true);
    const append = ready.messages.at(-1);
    if (append?.type !== "MsgStorageAppend") throw new Error("no append");
    expect(append.hardState).toEqual({ term: 1, vote: 1n, commit: 0 });
    expect(types(append.responses)).toEqual(["MsgVoteResp>1"]);
    peer.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 1, reject: false });
    expect(peer.node.state.role).toBe("candidate");
    for (const response of append.responses) peer.node.step(response);
    expect(peer.node.state.role).toBe("leader");
  });

  it("of an election that was lost or won meanwhile change nothing", () => {
    const peer = new Peer(1n, logOf(confState([1n, 2n, 3n])));
    peer.node.campaign();
    peer.node.step({ type: "MsgHeartbeat", to: 1n, from: 2n, term: 1, commit: 0, context: emptyBytes });
    peer.drain();
    peer.node.step({ type: "MsgVoteResp", to: 1n, from: 3n, term: 1, reject: false });
    expect(peer.node.state.role).toBe("follower");
    expect(peer.node.state.leader).toBe(2n);
  });

  it("preliminary ones do not count in the real election", () => {
    const peer = new Peer(1n, logOf(confState([1n, 2n, 3n])), { preVote: true });
    peer.node.campaign();
    peer.drain();
    for (const from of [2n, 3n]) {
      peer.node.step({ type: "MsgPreVoteResp", to: 1n, from, term: 1, reject: false });
    }
    peer.drain();
    expect([peer.node.state.role, peer.node.state.term]).toEqual(["candidate", 1]);
  });

  it("are counted once a member, and only of members", () => {
    const peer = new Peer(1n, logOf(confState([1n, 2n, 3n, 4n, 5n])));
    peer.node.campaign();
    peer.drain();
    const granted = (from: bigint): Message => ({
      type: "MsgVoteResp",
      to: 1n,
      from,
      term: 1,
      reject: false,
    });
    peer.node.step(granted(2n));
    peer.node.step(granted(2n));
    expect(peer.node.step(granted(9n))).toEqual({ kind: "refused", reason: "unknownPeer" });
    expect(peer.node.state.role).toBe("candidate");
    peer.node.step(granted(3n));
    expect(peer.node.state.role).toBe("leader");
  });

  it("refused by a majority: back to follower", () => {
    const peer = new Peer(1n, logOf(confState([1n, 2n, 3n])));
    peer.node.campaign();
    peer.drain();
    for (const from of [2n, 3n]) peer.node.step({ type: "MsgVoteResp", to: 1n, from, term: 1, reject: true });
    expect([peer.node.state.role, peer.node.state.term]).toEqual(["follower", 1]);
  });
});

describe("terms", () => {
  it.each(["follower", "candidate", "leader"])("a %s that hears a later term follows it", (role) => {
    const cluster = network(3);
    if (role === "leader") cluster.elect(1);
    if (role === "candidate") cluster.node(1).campaign();
    cluster.node(1).step({
      type: "MsgApp",
      to: 1n,
      from: 2n,
      term: 5,
      index: 0,
      logTerm: 0,
      entries: [],
      commit: 0,
    });
    expect([cluster.node(1).state.role, cluster.node(1).state.term, cluster.node(1).state.leader]).toEqual([
      "follower",
      5,
      2n,
    ]);
  });

  it("what is of an old term is not heard", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.elect(2);
    const last = cluster.node(3).state.log.lastIndex();
    cluster.node(3).step({
      type: "MsgApp",
      to: 3n,
      from: 1n,
      term: 1,
      index: last,
      logTerm: 2,
      entries: [entry(1, last + 1)],
      commit: 0,
    });
    expect(cluster.node(3).state.log.lastIndex()).toBe(last);
    expect(cluster.peer(3).drain()).toEqual([]);
  });

  it("a leader's acknowledgement to itself of an earlier term does not count in the next", () => {
    const peer = new Peer(1n, logOf(confState([1n])), { asyncStorageWrites: true });
    peer.node.campaign();
    const votes = peer.node.ready().messages.at(-1);
    if (votes?.type !== "MsgStorageAppend") throw new Error("no append");
    for (const response of votes.responses) peer.node.step(response);
    const append = peer.node.ready().messages.at(-1);
    if (append?.type !== "MsgStorageAppend") throw new Error("no append");
    peer.node.step(vote({ term: 3, from: 2n }));
    for (const response of append.responses) peer.node.step(response);
    expect(peer.node.state.log.committed).toBe(0);
  });
});

describe("time", () => {
  it("an election timeout lies between one and two times the setting, and all values occur", () => {
    const seen = new Set<number>();
    const peer = new Peer(1n, logOf(confState([1n, 2n])), { electionTicks: 5, random: seededRandom(3) });
    for (let round = 0; round < 200; round++) {
      let ticks = 0;
      const { term } = peer.node.state;
      while (peer.node.state.term === term) {
        peer.node.tick();
        ticks++;
      }
      seen.add(ticks);
      peer.drain();
    }
    expect([...seen].sort()).toEqual([5, 6, 7, 8, 9]);
  });

  it("the seed decides: the same one gives the same elections", () => {
    const timeouts = (): number[] => {
      const random = seededRandom(7);
      return [1n, 2n, 3n].map(
        (id) => new Peer(id, logOf(confState([id])), { random }).node.state.timer.electionTimeout,
      );
    };
    expect(timeouts()).toEqual(timeouts());
    expect(new Set(timeouts()).size).toBeGreaterThan(1);
  });

  it("a leader beats at its interval", () => {
    const cluster = network(3, { heartbeatTicks: 2 });
    cluster.elect(1);
    cluster.node(1).tick();
    expect(cluster.node(1).hasReady()).toBe(false);
    cluster.node(1).tick();
    expect(types(cluster.peer(1).drain())).toEqual(["MsgHeartbeat>2", "MsgHeartbeat>3"]);
  });

  it("whoever hears a leader does not stand for election", () => {
    const cluster = network(3);
    cluster.elect(1);
    for (let tick = 0; tick < 50; tick++) {
      cluster.peer(2).tick(1);
      cluster.peer(3).tick(1);
      cluster.beat(1);
    }
    expect(cluster.roles()).toEqual(["leader 1", "follower 1", "follower 1"]);
  });

  it("a learner waits for ever, until it is promoted", () => {
    const learner = new Peer(2n, logOf(confState([1n], { learners: [2n] })));
    learner.tick(100);
    learner.node.campaign();
    expect(learner.node.state.role).toBe("follower");
    learner.node.applyConfChange({ version: 1, id: 0n, type: 0, nodeId: 2n, context: emptyBytes });
    learner.tick(20);
    expect(learner.node.state.role).toBe("candidate");
  });
});

describe("checked quorum and lease", () => {
  const options = { checkQuorum: true };

  it("a leader that reaches a majority stays, one that does not steps down", () => {
    const cluster = network(3, options);
    cluster.elect(1);
    cluster.isolate(3);
    for (let tick = 0; tick < 40; tick++) cluster.beat(1);
    expect(cluster.roles()[0]).toBe("leader 1");
    cluster.isolate(2, 3);
    for (let tick = 0; tick < 20; tick++) cluster.beat(1);
    expect(cluster.roles()[0]).toBe("follower 1");
  });

  it("a candidate is not heard while the leader's lease lasts, and then is", () => {
    const cluster = network(3, options);
    for (const peer of cluster.peers.values()) peer.node.state.timer.electionTimeout = 19;
    cluster.elect(1);
    cluster.elect(3);
    expect(cluster.roles()[2]).toBe("candidate 2");
    cluster.peer(2).tick(10);
    cluster.elect(3);
    expect(cluster.roles()[2]).toBe("leader 3");
  });

  it("a member that a partition left at a later term comes back by deposing once", () => {
    const cluster = network(3, options);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.elect(3);
    cluster.elect(3);
    cluster.heal();
    cluster.beat(1);
    expect(cluster.node(1).state.role).toBe("follower");
    cluster.peer(2).tick(10);
    cluster.elect(1);
    expect(cluster.roles()).toEqual(["leader 4", "follower 4", "follower 4"]);
  });

  it("with a preliminary election it deposes nobody", () => {
    const cluster = network(3, { ...options, preVote: true });
    cluster.elect(1);
    cluster.isolate(3);
    for (let round = 0; round < 5; round++) cluster.elect(3);
    cluster.heal();
    cluster.run();
    cluster.beat(1);
    expect(cluster.roles()).toEqual(["leader 1", "follower 1", "follower 1"]);
  });

  it("a forgotten leader holds no lease", () => {
    const cluster = network(3, options);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.node(2).forgetLeader();
    cluster.elect(3);
    expect(cluster.node(3).state.role).toBe("leader");
  });
});

describe("mixed and stuck", () => {
  it("members of different terms agree on a leader though preliminary votes are refused", () => {
    const logs = [
      { term: 2, vote: 1n, commit: 0 },
      { term: 2, vote: 1n, commit: 0 },
      { term: 4, vote: 3n, commit: 0 },
    ];
    const ids = [1n, 2n, 3n];
    const peers = ids.map(
      (id, at) => new Peer(id, logOf(confState(ids), at === 2 ? [2] : [2, 2], logs[at]!), { preVote: true }),
    );
    const cluster: Network = network(3);
    cluster.peers.clear();
    for (const peer of peers) cluster.peers.set(peer.id, peer);
    cluster.elect(3);
    cluster.elect(1);
    cluster.elect(1);
    expect(cluster.node(1).state.role).toBe("leader");
    expect(new Set(cluster.roles().map((role) => role.split(" ")[1])).size).toBe(1);
  });

  it("two candidates of one term: who lost follows the other in the next", () => {
    const cluster = network(3);
    cluster.passes = ({ from, to }) => !(from + to === 4n);
    cluster.node(1).campaign();
    cluster.node(3).campaign();
    cluster.run();
    expect(cluster.roles()).toEqual(["leader 1", "follower 1", "candidate 1"]);
    cluster.heal();
    cluster.elect(3);
    // Its log lacks the leader's first entry, so it deposes the leader and wins nothing.
    expect(cluster.roles()).toEqual(["follower 2", "follower 2", "follower 2"]);
  });

  it("nobody stands with a membership change not applied", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.node(1).proposeConfChange({ version: 1, id: 0n, type: 1, nodeId: 3n, context: emptyBytes });
    for (const [to, messages] of [[2, cluster.peer(1).drain()]] as const) {
      for (const message of messages) if (message.to === BigInt(to)) cluster.node(to).step(message);
    }
    for (const message of cluster.peer(2).drain()) cluster.node(1).step(message);
    const commit = cluster
      .peer(1)
      .drain()
      .filter(({ to }) => to === 2n);
    for (const message of commit) cluster.node(2).step(message);
    expect(cluster.node(2).state.log.committed).toBe(2);
    cluster.node(2).campaign();
    expect(cluster.node(2).state.role).toBe("follower");
    cluster.peer(2).drain();
    cluster.node(2).campaign();
    expect(cluster.node(2).state.role).toBe("candidate");
  });

  it("local messages from the network are refused", () => {
    const cluster = network(1);
    expect(cluster.node(1).step({ type: "MsgHup", to: 1n, from: 1n, term: 0 })).toEqual({
      kind: "refused",
      reason: "localMessage",
    });
    expect(cluster.node(1).propose(payload("x"))).toEqual({ kind: "dropped", reason: "noLeader" });
  });
});
