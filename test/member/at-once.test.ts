/** What a member answers without asking anybody, and above all what not. */
import { describe, expect, test } from "vitest";
import { CoreCluster, electionTimeoutMs, tickMs } from "../lease/core-cluster.js";

function lonely(): CoreCluster {
  const cluster = new CoreCluster(1);
  cluster.elect(cluster.members[0]!);
  cluster.grant(7n, 60);
  cluster.pass(tickMs);
  return cluster;
}

describe("a lone voter", () => {
  test("decides alone once the beginning of its term is applied, and not while it writes it", () => {
    const cluster = new CoreCluster(1);
    const { core } = cluster.members[0]!;
    expect(core.decidesAlone).toBe(false);
    core.raft.campaign();
    let turns = 0;
    for (; !core.decidesAlone; turns++) {
      const { log, role } = core.raft.state;
      expect(role === "leader" && log.term(core.applied) === core.raft.state.term).toBe(false);
      cluster.members[0]!.turn();
    }
    expect(turns).toBeGreaterThan(1);
  });

  test("renews a lease at once, with its whole time, and knows when there is none", () => {
    const cluster = lonely();
    cluster.pass(3_000);
    expect(cluster.leftSeconds(7n)).toBeLessThan(58);
    expect(cluster.leader.core.renewAtOnce(7n)).toBe(60);
    cluster.pass(tickMs);
    expect(cluster.leftSeconds(7n)).toBe(60);
    expect(cluster.leader.core.renewAtOnce(8n)).toBe(0);
  });

  test("answers a renewal later where the log holds that less is left, and where the lease has run out", () => {
    const cluster = lonely();
    const { core, leases } = cluster.leader;
    const lease = leases.find(7n)!;
    lease.remainingSeconds = 30;
    expect(core.renewAtOnce(7n)).toBeUndefined();
    lease.remainingSeconds = 0;
    expect(core.renewAtOnce(7n)).toBe(60);
    cluster.leader.paused = true;
    core.step({ type: "tick", nowMs: cluster.nowMs + 61_000 });
    core.step({ type: "tick", nowMs: cluster.nowMs + 122_000 });
    expect(core.renewAtOnce(7n)).toBeUndefined();
  });
});

describe("one of three voters", () => {
  test("asks the others, also as the leader", () => {
    const cluster = new CoreCluster(3);
    cluster.elect(cluster.members[0]!);
    cluster.grant(7n, 60);
    cluster.pass(electionTimeoutMs);
    for (const { core } of cluster.members) {
      expect(core.decidesAlone).toBe(false);
      expect(core.renewAtOnce(7n)).toBeUndefined();
    }
    expect(cluster.renew(7n)).toBe(60);
  });
});
