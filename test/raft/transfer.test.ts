/** Leadership that is handed over must end with one leader, whatever happens on the way. */
import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.js";
import { confState, logOf, Network, network, Peer, payload } from "./network.js";

const leaders = (cluster: Network): bigint[] =>
  [...cluster.peers.values()].filter(({ node }) => node.state.role === "leader").map(({ id }) => id);

function elected(options = {}): Network {
  const cluster = network(3, options);
  cluster.elect(1);
  return cluster;
}

describe("handing leadership over", () => {
  it.each([1, 2, 3])("asked on member %i", (asked) => {
    const cluster = elected();
    cluster.node(asked).transferLeadership(2n);
    cluster.run();
    expect(leaders(cluster)).toEqual([2n]);
  });

  it("goes through leases and without a preliminary election", () => {
    const cluster = elected({ checkQuorum: true, preVote: true });
    const seen: string[] = [];
    cluster.passes = ({ type }) => {
      seen.push(type);
      return true;
    };
    cluster.node(1).transferLeadership(3n);
    cluster.run();
    expect(leaders(cluster)).toEqual([3n]);
    expect(seen).not.toContain("MsgPreVote");
  });

  it("waits until the other has caught up, and drops proposals meanwhile", () => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.node(1).transferLeadership(3n);
    cluster.run();
    expect(cluster.node(1).status()).toMatchObject({ role: "leader", leadTransferee: 3n });
    expect(cluster.node(1).propose(payload("y"))).toEqual({ kind: "dropped", reason: "transferring" });
    cluster.heal();
    cluster.beat(1);
    expect(leaders(cluster)).toEqual([3n]);
    cluster.beat(3);
    expect(cluster.peer(3).appliedTexts).toEqual(["x"]);
  });

  it("to one that needs a snapshot first", () => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x", "y");
    const { log, node } = cluster.peer(1);
    log.createSnapshot({ index: 3, term: 1, confState: node.status().config });
    log.compact(3);
    cluster.heal();
    cluster.node(1).transferLeadership(3n);
    cluster.run();
    cluster.beat(1);
    expect(cluster.peer(3).snapshots).toHaveLength(1);
    expect(leaders(cluster)).toEqual([3n]);
  });

  it("is given up after an election timeout", () => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.node(1).transferLeadership(3n);
    for (let tick = 0; tick < 9; tick++) cluster.beat(1);
    expect(cluster.node(1).status().leadTransferee).toBe(3n);
    cluster.beat(1);
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
    expect(cluster.node(1).propose(payload("y")).kind).toBe("accepted");
  });

  it("a second request, to another, replaces the first; to the same it does not prolong it", () => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.node(1).transferLeadership(3n);
    for (let tick = 0; tick < 8; tick++) cluster.beat(1);
    cluster.node(1).transferLeadership(3n);
    for (let tick = 0; tick < 2; tick++) cluster.beat(1);
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
    cluster.node(1).transferLeadership(3n);
    cluster.node(1).transferLeadership(2n);
    cluster.run();
    expect(leaders(cluster)).toEqual([2n]);
  });

  it("to itself ends a transfer, to a stranger or a learner nothing happens", () => {
    const members = confState([1n, 2n], { learners: [3n] });
    const cluster = new Network([1n, 2n, 3n].map((id) => new Peer(id, logOf(members))));
    cluster.elect(1);
    cluster.isolate(2);
    cluster.node(1).propose(payload("x"));
    cluster.node(1).transferLeadership(9n);
    cluster.node(1).transferLeadership(3n);
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
    cluster.node(1).transferLeadership(2n);
    expect(cluster.node(1).status().leadTransferee).toBe(2n);
    cluster.node(1).transferLeadership(1n);
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
  });

  it.each([
    ["removed", 1 as const],
    ["made a learner", 3 as const],
  ])("is given up when the other is %s", (_, type) => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.node(1).transferLeadership(3n);
    cluster.node(1).applyConfChange({ version: 1, id: 0n, type, nodeId: 3n, context: emptyBytes });
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
  });

  it("is overtaken by an election of someone else", () => {
    const cluster = elected();
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.node(1).transferLeadership(3n);
    cluster.elect(2);
    expect(leaders(cluster)).toEqual([2n]);
    expect(cluster.node(1).status().leadTransferee).toBe(0n);
  });

  it("who is no member does not take over, though told to", () => {
    const peer = new Peer(1n, logOf(confState([2n, 3n, 4n])));
    peer.node.step({ type: "MsgTimeoutNow", to: 1n, from: 2n, term: 0 });
    peer.node.step({ type: "MsgVoteResp", to: 1n, from: 2n, term: 0, reject: false });
    expect(peer.node.state.role).toBe("follower");
  });
});
