/** A wrong quorum commits what a majority does not hold: members must change their configuration alike, or not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyBytes, utf8Bytes } from "../../src/base/bytes.js";
import { encodeConfChangeV2 } from "../../src/raft/codec.js";
import type { ConfChange, ConfChangeSingle, ConfChangeV2 } from "../../src/raft/conf-change.js";
import { ConfChangeTransition, ConfChangeType, leaveJointChange } from "../../src/raft/conf-change.js";
import type { ChangeContext } from "../../src/raft/confchange/changer.js";
import { ConfChangeError, changeSimply, enterJoint, leaveJoint } from "../../src/raft/confchange/changer.js";
import { restoreConfig } from "../../src/raft/confchange/restore.js";
import type { TrackedConfig } from "../../src/raft/tracker/tracker.js";
import type { ConfState } from "../../src/raft/types.js";
import { EntryType } from "../../src/raft/types.js";
import { confState, entry, logOf, Network, network, Peer, payload, snapshotAt } from "./network.js";

const context: ChangeContext = {
  lastIndex: 10,
  inflightLimits: { messagesMax: 10, bytesMax: Number.POSITIVE_INFINITY },
};
const one = (type: ConfChangeType, nodeId: bigint): ConfChange => ({
  version: 1,
  id: 0n,
  type,
  nodeId,
  context: emptyBytes,
});
const many = (
  changes: readonly ConfChangeSingle[],
  transition: ConfChangeTransition = ConfChangeTransition.Auto,
): ConfChangeV2 => ({ version: 2, transition, changes, context: emptyBytes });
const { AddNode, RemoveNode, AddLearnerNode } = ConfChangeType;
const configs = (cluster: Network): ConfState[] =>
  [...cluster.peers.values()].map(({ node }) => node.status().config);

describe("one change at a time", () => {
  it("a member is added as a learner, catches up, is promoted, and then counts", () => {
    const cluster = network(2);
    cluster.elect(1);
    cluster.propose(1, "x");
    const added = new Peer(3n, logOf(confState([1n, 2n])));
    cluster.peers.set(3n, added);
    cluster.node(1).proposeConfChange(one(AddLearnerNode, 3n));
    cluster.run();
    cluster.beat(1);
    expect(added.appliedTexts).toEqual(["x"]);
    expect(added.node.status().config).toEqual(confState([1n, 2n], { learners: [3n] }));
    cluster.node(1).proposeConfChange(one(AddNode, 3n));
    cluster.run();
    cluster.beat(1);
    expect(configs(cluster)).toEqual(Array(3).fill(confState([1n, 2n, 3n])));
    cluster.isolate(2);
    cluster.propose(1, "y");
    expect(cluster.peer(1).appliedTexts).toEqual(["x", "y"]);
  });

  it("a second change is not taken while one waits, and becomes an empty entry in its place", () => {
    const cluster = network(3);
    cluster.elect(1);
    const { node } = cluster.peer(1);
    node.proposeConfChange(one(AddLearnerNode, 4n));
    node.proposeConfChange(one(AddLearnerNode, 5n));
    const types = [2, 3].map((index) => node.state.log.entry(index));
    expect(types.map(({ type, data }) => [type, data.length > 0])).toEqual([
      [EntryType.ConfChange, true],
      [EntryType.Normal, false],
    ]);
    cluster.run();
    expect(node.status().config.learners).toEqual([4n]);
    node.proposeConfChange(one(AddLearnerNode, 5n));
    cluster.run();
    expect(node.status().config.learners).toEqual([4n, 5n]);
  });

  it("a new leader takes none before what it found in the log is applied", () => {
    const log = logOf(confState([1n, 2n]), [1, 1], { term: 1, vote: 0n, commit: 0 });
    const peer = new Peer(1n, log);
    peer.node.campaign();
    peer.drain();
    peer.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 2, reject: false });
    peer.node.proposeConfChange(one(AddNode, 3n));
    expect(peer.node.state.log.entry(4).type).toBe(EntryType.Normal);
  });

  it("what waited only for a removed member is committed when it is gone", () => {
    const cluster = network(2);
    cluster.elect(1);
    const { node } = cluster.peer(1);
    node.proposeConfChange(one(RemoveNode, 2n));
    cluster.run();
    expect(node.status().config).toEqual(confState([1n]));
    cluster.propose(1, "alone");
    expect(cluster.peer(1).appliedTexts).toEqual(["alone"]);
    // A proposal behind the change, in flight while it was applied.
    const pair = network(2);
    pair.elect(1);
    pair.node(1).proposeConfChange(one(RemoveNode, 2n));
    pair.node(1).propose(payload("behind"));
    let seen = 0;
    pair.passes = ({ from, to, type }) => !(from === 2n && to === 1n && type === "MsgAppResp" && ++seen > 1);
    pair.run();
    pair.run();
    expect(pair.peer(1).appliedTexts).toEqual(["behind"]);
  });

  it.each([
    [false, "leader"],
    [true, "follower"],
  ])("a leader that removes itself, stepping down at once: %s", (stepDownOnRemoval, role) => {
    const cluster = network(3, { stepDownOnRemoval });
    cluster.elect(1);
    cluster.node(1).proposeConfChange(one(RemoveNode, 1n));
    cluster.run();
    expect(cluster.node(1).state.role).toBe(role);
    expect(cluster.node(1).propose(payload("x")).kind).toBe("dropped");
    cluster.elect(2);
    expect(cluster.node(2).state.role).toBe("leader");
  });

  it("a change that the owner refused after it was committed changes nothing", () => {
    const cluster = network(3);
    expect(cluster.node(1).applyConfChange(one(RemoveNode, 0n))).toEqual(confState([1n, 2n, 3n]));
  });

  it("a new member does not depose a leader that checks its quorum", () => {
    const cluster = network(1, { checkQuorum: true });
    cluster.elect(1);
    cluster.node(1).applyConfChange(one(AddNode, 2n));
    cluster.peer(1).tick(10);
    expect(cluster.node(1).state.role).toBe("leader");
  });
});

describe("joint configurations", () => {
  const replace = [
    { type: AddNode, nodeId: 4n },
    { type: RemoveNode, nodeId: 3n },
  ];

  function cluster4(): Network {
    const cluster = network(3);
    cluster.peers.set(4n, new Peer(4n, logOf(confState([1n, 2n, 3n]))));
    cluster.elect(1);
    return cluster;
  }

  it("are entered for several changes, left by themselves, and decide by both majorities between", () => {
    const cluster = cluster4();
    const seen: ConfState[] = [];
    cluster.passes = () => {
      seen.push(cluster.node(1).status().config);
      return true;
    };
    cluster.node(1).proposeConfChange(many(replace));
    cluster.run();
    cluster.beat(1);
    expect(seen).toContainEqual(confState([1n, 2n, 4n], { votersOutgoing: [1n, 2n, 3n], autoLeave: true }));
    expect(cluster.node(1).status().config).toEqual(confState([1n, 2n, 4n]));
    expect(cluster.node(4).status().config).toEqual(confState([1n, 2n, 4n]));
  });

  it("are left on request where that was asked for, and hold other changes up until then", () => {
    const cluster = cluster4();
    const { node } = cluster.peer(1);
    node.proposeConfChange(many(replace, ConfChangeTransition.JointExplicit));
    cluster.run();
    const joint = confState([1n, 2n, 4n], { votersOutgoing: [1n, 2n, 3n] });
    expect(node.status().config).toEqual(joint);
    node.proposeConfChange(one(AddNode, 5n));
    cluster.run();
    expect(node.status().config).toEqual(joint);
    node.proposeConfChange(leaveJointChange);
    cluster.run();
    expect(node.status().config).toEqual(confState([1n, 2n, 4n]));
    node.proposeConfChange(leaveJointChange);
    cluster.run();
    expect(node.status().config).toEqual(confState([1n, 2n, 4n]));
  });

  it.each([
    [[2, 3], []],
    [[4], []],
    [[3], ["x"]],
  ])(
    "of 1 4 5 and 1 2 3, without 5 and %j, commit %j: one majority alone decides nothing",
    (cut, applied) => {
      const cluster = cluster4();
      const changes = [...replace, { type: AddNode, nodeId: 5n }, { type: RemoveNode, nodeId: 2n }];
      cluster.node(1).proposeConfChange(many(changes, ConfChangeTransition.JointExplicit));
      cluster.run();
      cluster.beat(1);
      cluster.isolate(...cut);
      cluster.propose(1, "x");
      expect(cluster.peer(1).appliedTexts).toEqual(applied);
    },
  );

  it("come back whole from a snapshot and at a restart, and are left from there", () => {
    const joint = confState([1n, 2n, 4n], {
      learners: [5n],
      votersOutgoing: [1n, 2n, 3n],
      learnersNext: [3n],
      autoLeave: true,
    });
    const follower = new Peer(2n, logOf(confState([1n, 2n, 3n])));
    follower.node.step({ type: "MsgSnap", to: 2n, from: 1n, term: 5, snapshot: snapshotAt(11, 5, joint) });
    follower.drain();
    expect(follower.node.status().config).toEqual(joint);
    const again = new Peer(2n, follower.log, { applied: 11 });
    expect(again.node.status().config).toEqual(joint);
    again.log.append([
      { ...entry(5, 12), type: EntryType.ConfChangeV2, data: encodeConfChangeV2(leaveJointChange) },
    ]);
    again.log.setHardState({ term: 5, vote: 0n, commit: 12 });
    const last = new Peer(2n, again.log, { applied: 11 });
    last.drain();
    expect(last.node.status().config).toEqual(confState([1n, 2n, 4n], { learners: [3n, 5n] }));
  });

  it("are left by the next leader when the one that entered is gone", () => {
    const joint = confState([1n, 2n, 3n], { votersOutgoing: [1n, 2n], autoLeave: true });
    const cluster = new Network([1n, 2n, 3n].map((id) => new Peer(id, logOf(joint))));
    cluster.elect(2);
    cluster.beat(2);
    expect(configs(cluster)).toEqual(Array(3).fill(confState([1n, 2n, 3n])));
  });
});

describe("any sequence of changes", () => {
  const change: fc.Arbitrary<ConfChangeSingle> = fc.record({
    type: fc.constantFrom<ConfChangeType>(0, 1, 2, 3),
    nodeId: fc.bigInt({ min: 0n, max: 5n }),
  });
  const start = (voters: readonly bigint[]): TrackedConfig => restoreConfig(confState(voters), context);
  const orError = <Value>(run: () => Value): Value | undefined => {
    try {
      return run();
    } catch (error) {
      if (error instanceof ConfChangeError) return undefined;
      throw error;
    }
  };

  it("by way of a joint configuration leads where the same changes one by one lead", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), (changes, autoLeave) => {
        const base = start([1n, 2n]);
        const joint = orError(() => enterJoint(base, changes, { ...context, autoLeave }));
        let simple: TrackedConfig | undefined = base;
        for (const single of changes)
          simple = simple && orError(() => changeSimply(simple!, [single], context));
        if (joint === undefined) return;
        expect(joint.config.votersOutgoing).toEqual([1n, 2n]);
        const left = leaveJoint(joint, context);
        // One by one the last voter may not go even for a moment.
        if (simple !== undefined) expect(left.config).toEqual(simple.config);
        expect([...left.progress.keys()]).toEqual(
          [...left.config.voters, ...left.config.learners].sort((a, b) => Number(a - b)),
        );
        expect(base.config).toEqual(confState([1n, 2n]));
      }),
      { numRuns: 500 },
    );
  });

  it("what was stored is restored", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 2, maxLength: 6 }), fc.boolean(), (changes, autoLeave) => {
        const joint = orError(() => enterJoint(start([1n, 2n, 3n]), changes, { ...context, autoLeave }));
        if (joint === undefined) return;
        expect(restoreConfig(joint.config, context).config).toEqual(joint.config);
        const left = leaveJoint(joint, context);
        expect(restoreConfig(left.config, context).config).toEqual(left.config);
      }),
      { numRuns: 500 },
    );
  });

  it("all members that apply the same changes have the same configuration", () => {
    const cluster = network(3);
    cluster.elect(1);
    const random = [AddLearnerNode, AddNode, RemoveNode];
    for (let round = 0; round < 12; round++) {
      cluster.node(1).proposeConfChange(one(random[round % 3]!, 2n + BigInt(round % 2)));
      cluster.node(1).propose([utf8Bytes(`${round}`)]);
      cluster.run();
      cluster.beat(1);
      const applied = [...cluster.peers.values()].filter(
        ({ node }) => node.status().applied === cluster.node(1).status().applied,
      );
      for (const { node } of applied) expect(node.status().config).toEqual(cluster.node(1).status().config);
    }
  });
});
