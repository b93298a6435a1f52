/** A read that a deposed or new leader answers too soon is stale: a client sees its own write undone. */
import { describe, expect, it } from "vitest";
import { emptyBytes, utf8Bytes } from "../../src/base/bytes.js";
import { limits } from "../../src/base/limits.js";
import type { Message } from "../../src/raft/message.js";
import { ReadQueue } from "../../src/raft/read-queue.js";
import type { Options } from "./network.js";
import { confState, logOf, Network, network, Peer, text } from "./network.js";

const contexts = (peer: Peer): string[] =>
  peer.readStates.map(({ context, index }) => `${text(context)}@${index}`);
const beats = (messages: readonly Message[]) => messages.filter((message) => message.type === "MsgHeartbeat");

describe("a read is confirmed by a round of heartbeats", () => {
  it("asked on the leader or a follower, it gets the commit index of that moment", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.propose(1, "a", "b");
    for (const id of [1, 2, 3]) {
      cluster.node(id).readIndex(utf8Bytes(`r${id}`));
      cluster.run();
    }
    for (const id of [1, 2, 3]) expect(contexts(cluster.peer(id))).toEqual([`r${id}@3`]);
  });

  it("not without a majority, whatever else the leader hears", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.isolate(2, 3);
    cluster.node(1).readIndex(utf8Bytes("r"));
    cluster.run();
    expect(cluster.peer(1).readStates).toEqual([]);
    cluster.heal();
    cluster.beat(1);
    expect(contexts(cluster.peer(1))).toEqual(["r@1"]);
  });

  it("an answer to an older heartbeat confirms no newer read", () => {
    const leader = network(3);
    leader.elect(1);
    const peer = leader.peer(1);
    peer.node.readIndex(utf8Bytes("first"));
    const [first] = beats(peer.drain());
    peer.node.readIndex(utf8Bytes("second"));
    const [second] = beats(peer.drain());
    const answer = (context: Uint8Array): void => {
      peer.node.step({ type: "MsgHeartbeatResp", to: 1n, from: 2n, term: 1, context });
      peer.drain();
    };
    answer(first!.context);
    expect(contexts(peer)).toEqual(["first@1"]);
    answer(first!.context);
    answer(emptyBytes);
    answer(utf8Bytes("made up!!"));
    answer(new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0]));
    expect(contexts(peer)).toEqual(["first@1"]);
    answer(second!.context);
    expect(contexts(peer)).toEqual(["first@1", "second@1"]);
  });

  it("the same context twice is two reads", () => {
    const cluster = network(3);
    cluster.elect(1);
    const { node } = cluster.peer(1);
    node.readIndex(utf8Bytes("r"));
    node.readIndex(utf8Bytes("r"));
    cluster.run();
    expect(contexts(cluster.peer(1))).toEqual(["r@1", "r@1"]);
  });

  it("an answer lost with its heartbeat: the next heartbeat confirms as well", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.isolate(2, 3);
    cluster.node(1).readIndex(utf8Bytes("r"));
    cluster.run();
    cluster.passes = ({ from, to }) => from !== 3n && to !== 3n;
    cluster.beat(1);
    expect(contexts(cluster.peer(1))).toEqual(["r@1"]);
  });

  it("a lone voter answers at once, learners or not", () => {
    const members = confState([1n], { learners: [2n] });
    const cluster = new Network([1n, 2n].map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.propose(1, "a");
    for (const id of [1, 2]) cluster.node(id).readIndex(utf8Bytes("r"));
    cluster.run();
    expect([1, 2].flatMap((id) => contexts(cluster.peer(id)))).toEqual(["r@2", "r@2"]);
  });

  it("a lone voter that was just started answers when it knows what it had committed before", () => {
    // The commit index of a write may be lost with the process that acknowledged it.
    const log = logOf(confState([1n]), [1, 1, 1], { term: 1, vote: 1n, commit: 1 });
    const peer = new Peer(1n, log);
    peer.node.campaign();
    while (peer.node.state.role !== "leader") peer.work();
    expect(peer.node.state.log.committed).toBe(1);
    peer.node.readIndex(utf8Bytes("own"));
    peer.node.step({ type: "MsgReadIndex", to: 1n, from: 2n, term: 0, context: utf8Bytes("a learner's") });
    const answers = peer.drain();
    expect(contexts(peer)).toEqual(["own@4"]);
    expect(answers).toMatchObject([{ type: "MsgReadIndexResp", to: 2n, index: 4 }]);
  });

  it("a learner's answer confirms nothing", () => {
    const members = confState([1n, 2n, 3n], { learners: [4n] });
    const cluster = new Network([1n, 2n, 3n, 4n].map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.isolate(2, 3);
    cluster.node(1).readIndex(utf8Bytes("r"));
    cluster.run();
    expect(cluster.peer(1).readStates).toEqual([]);
  });

  it("in a joint configuration it takes both majorities", () => {
    const members = confState([1n, 2n, 3n], { votersOutgoing: [1n, 4n, 5n] });
    const ids = [1n, 2n, 3n, 4n, 5n];
    const cluster = new Network(ids.map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.isolate(4, 5);
    cluster.node(1).readIndex(utf8Bytes("r"));
    cluster.run();
    expect(cluster.peer(1).readStates).toEqual([]);
    cluster.isolate(5);
    cluster.beat(1);
    expect(contexts(cluster.peer(1))).toEqual(["r@1"]);
  });
});

describe("a read that another voter passes on", () => {
  it("needs no heartbeats where that voter and the leader are a quorum", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.isolate(3);
    cluster.node(2).readIndex(utf8Bytes("r"));
    const [question] = cluster.peer(2).drain();
    cluster.node(1).step(question!);
    const answers = cluster.peer(1).drain();
    expect(answers.map(({ type, to }) => `${type} to ${to}`)).toEqual(["MsgReadIndexResp to 2"]);
    for (const answer of answers) cluster.node(2).step(answer);
    cluster.peer(2).drain();
    expect(contexts(cluster.peer(2))).toEqual(["r@2"]);
  });

  it("confirms no other: the leader's own, which may have come later, waits for its round", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.node(2).readIndex(utf8Bytes("r"));
    const [question] = cluster.peer(2).drain();
    cluster.isolate(2, 3);
    cluster.node(1).readIndex(utf8Bytes("own"));
    cluster.node(1).step(question!);
    cluster.peer(1).drain();
    expect(cluster.peer(1).readStates).toEqual([]);
  });

  it.each([
    ["one of five voters", confState([1n, 2n, 3n, 4n, 5n])],
    ["a learner", confState([1n, 3n, 4n], { learners: [2n] })],
    [
      "a voter of one half of a joint configuration",
      confState([1n, 2n, 3n], { votersOutgoing: [1n, 4n, 5n] }),
    ],
  ])("takes a round of heartbeats from %s", (_, members) => {
    const cluster = new Network([1n, 2n, 3n, 4n, 5n].map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.node(2).readIndex(utf8Bytes("r"));
    const [question] = cluster.peer(2).drain();
    cluster.node(1).step(question!);
    const answers = cluster.peer(1).drain();
    expect(answers.map(({ type }) => type)).not.toContain("MsgReadIndexResp");
    expect(beats(answers).length).toBeGreaterThan(0);
  });

  it("arriving late at a leader deposed meanwhile, gets an answer that its voter, in a later term, does not hear", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.node(3).readIndex(utf8Bytes("r"));
    const [question] = cluster.peer(3).drain();
    cluster.isolate(1);
    cluster.elect(2);
    cluster.propose(2, "newer");
    cluster.node(1).step(question!);
    const answers = cluster.peer(1).drain();
    expect(answers.map(({ type, term }) => `${type} of term ${term}`)).toEqual([
      "MsgReadIndexResp of term 1",
    ]);
    for (const answer of answers) cluster.node(3).step(answer);
    cluster.peer(3).drain();
    expect(contexts(cluster.peer(3))).toEqual([]);
  });
});

describe("a new leader", () => {
  it.each<Options>([{}, { readOnlyOption: "leaseBased", checkQuorum: true }])(
    "does not answer before the first commit of its term: it may not know what was committed (%j)",
    (options) => {
      const cluster = network(3, options);
      cluster.elect(1);
      // The entry is committed on 1, and 2 holds it, but does not know that it is committed.
      cluster.passes = ({ to }) => to !== 3n;
      cluster.propose(1, "written");
      cluster.node(2).state.log.committed = 1;
      cluster.passes = ({ type, to }) => to !== 1n && type !== "MsgApp";
      for (const peer of cluster.peers.values()) peer.node.state.timer.electionElapsed = 10;
      cluster.elect(2);
      expect(cluster.roles()[1]).toBe("leader 2");
      const committed = cluster.node(2).state.log.committed;
      cluster.node(2).readIndex(utf8Bytes("own"));
      cluster.node(3).state.leader = 2n;
      cluster.node(3).readIndex(utf8Bytes("other"));
      cluster.run();
      expect([cluster.node(2).state.log.committed, cluster.peer(2).readStates.length]).toEqual([
        committed,
        0,
      ]);
      cluster.heal();
      cluster.beat(2);
      cluster.beat(2);
      expect(contexts(cluster.peer(2))).toEqual(["own@3"]);
      expect(contexts(cluster.peer(3))).toEqual(["other@3"]);
    },
  );
});

describe("a leader deposed while reads wait", () => {
  it("never answers them, also not when it leads again", () => {
    const cluster = network(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.node(1).readIndex(utf8Bytes("old"));
    cluster.run();
    cluster.elect(2);
    cluster.propose(2, "newer");
    cluster.heal();
    cluster.beat(2);
    expect(cluster.node(1).state.role).toBe("follower");
    cluster.elect(1);
    cluster.beat(1);
    expect(cluster.node(1).state.role).toBe("leader");
    expect(cluster.peer(1).readStates).toEqual([]);
    cluster.node(1).readIndex(utf8Bytes("fresh"));
    cluster.run();
    expect(contexts(cluster.peer(1))).toEqual([`fresh@${cluster.node(1).state.log.committed}`]);
  });

  it("a follower without a leader drops what is asked: who asks repeats it", () => {
    const cluster = network(3);
    cluster.node(2).readIndex(utf8Bytes("r"));
    expect(cluster.peer(2).drain()).toEqual([]);
  });
});

describe("by the leader's lease", () => {
  const options: Options = { readOnlyOption: "leaseBased", checkQuorum: true };

  it("a read is answered without a round, on followers too", () => {
    const cluster = network(3, options);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.node(1).readIndex(utf8Bytes("r"));
    expect(beats(cluster.peer(1).drain())).toEqual([]);
    expect(contexts(cluster.peer(1))).toEqual(["r@2"]);
    cluster.node(3).readIndex(utf8Bytes("q"));
    cluster.run();
    expect(contexts(cluster.peer(3))).toEqual(["q@2"]);
  });

  it("not without the quorum checked", () => {
    expect(() => network(1, { ...options, checkQuorum: false })).toThrow(/lease/);
  });

  it("a leader is not forgotten, as the lease binds the votes", () => {
    const cluster = network(3, options);
    cluster.elect(1);
    cluster.node(2).forgetLeader();
    expect(cluster.node(2).status().leader).toBe(1n);
  });
});

describe("the queue of reads", () => {
  const read = (name: string) =>
    ({ type: "MsgReadIndex", to: 1n, from: 1n, term: 0, context: utf8Bytes(name) }) as const;

  it("is bounded: what does not fit is asked again", () => {
    const queue = new ReadQueue();
    for (let count = 0; count < limits.pendingReadsMax; count++) {
      expect(queue.add(read("r"), 1)).toBe(true);
      expect(queue.postpone(read("r"))).toBe(true);
    }
    expect([queue.add(read("r"), 1), queue.postpone(read("r"))]).toEqual([false, false]);
  });

  it("confirms in order, many at once, and keeps nothing of them", () => {
    const queue = new ReadQueue();
    const voters = { voters: [1n, 2n, 3n], votersOutgoing: [] };
    for (const name of ["a", "b", "c"]) queue.add(read(name), 7);
    const context = queue.heartbeatContext();
    queue.add(read("d"), 8);
    queue.acknowledge(1n, queue.heartbeatContext());
    expect(queue.takeConfirmed(voters)).toEqual([]);
    queue.acknowledge(3n, context);
    expect(queue.takeConfirmed(voters).map(({ request }) => text(request.context))).toEqual(["a", "b", "c"]);
    expect(queue.takeConfirmed(voters)).toEqual([]);
    queue.acknowledge(2n, queue.heartbeatContext());
    expect(queue.takeConfirmed(voters).map(({ index }) => index)).toEqual([8]);
    expect(queue.heartbeatContext()).toHaveLength(0);
  });
});
