/** Mistakes that systems of this kind have made with leases, one scenario each: three cores, one clock. */
import { beforeEach, describe, expect, test } from "vitest";
import { decodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import { isStoreError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { CoreCluster, electionTimeoutMs, type TestMember, tickMs } from "./core-cluster.js";

let cluster: CoreCluster;
let first: TestMember;
let second: TestMember;

beforeEach(() => {
  cluster = new CoreCluster(3);
  first = cluster.members[0]!;
  second = cluster.members[1]!;
  cluster.elect(first);
  cluster.pass(tickMs);
});

function holders(id: bigint): readonly bigint[] {
  return cluster.members.filter(({ leases }) => leases.exists(id)).map((member) => member.id);
}

/** What stands in the log of `first` from `index` on, by field of the request. */
function fieldsFrom(index: number): readonly number[] {
  const { log } = first.core.raft.state;
  const fields: number[] = [];
  for (let at = index; at <= log.lastIndex(); at++) fields.push(decodeRaftRequest(log.entry(at).data).field);
  return fields;
}

describe("a lease", () => {
  test("ends when its time is over, everywhere, with its keys, and not a tick before", () => {
    cluster.grant(7n, 5);
    cluster.put("a", 7n);
    const revision = first.mvcc.revision;
    cluster.pass(5_000);
    expect(holders(7n)).toEqual([1n, 2n, 3n]);
    cluster.pass(3 * tickMs);
    expect(holders(7n)).toEqual([]);
    for (const { mvcc } of cluster.members) {
      expect(mvcc.revision).toBe(revision + 1);
      expect(mvcc.keyCount).toBe(0);
    }
  });

  test("is freed on followers too", () => {
    for (let id = 1n; id <= 100n; id++) cluster.grant(id, 2 + Number(id % 5n));
    expect(cluster.members.map(({ leases }) => leases.count)).toEqual([100, 100, 100]);
    cluster.pass(8_000);
    expect(cluster.members.map(({ leases }) => leases.count)).toEqual([0, 0, 0]);
  });

  test("may have a negative id", () => {
    expect(cluster.grant(-3n, 5)).toMatchObject({ kind: "leaseGrant", id: -3n });
    cluster.put("a", -3n);
    expect(first.leases.find(-3n)?.keys).toEqual(["a"]);
    expect(cluster.renew(-3n)).toBe(5);
    cluster.pass(6_000);
    expect(holders(-3n)).toEqual([]);
    expect(first.mvcc.keyCount).toBe(0);
  });

  test("that a revoke before it in the log took away takes no key", () => {
    cluster.grant(7n, 60);
    const revoked = cluster.submit(first, 9, Uint8Array.of(8, 7));
    const put = cluster.submit(first, 4, Uint8Array.of(10, 1, 97, 24, 7));
    cluster.settle();
    expect(revoked()).toMatchObject({ kind: "leaseRevoke" });
    expect(isStoreError(put(), "LeaseNotFound")).toBe(true);
    expect(first.mvcc.keyCount).toBe(0);
  });
});

describe("a keep-alive", () => {
  test("that comes right behind the grant finds the lease", () => {
    const granted = cluster.submit(first, 8, Uint8Array.of(8, 5, 16, 7));
    const renewed = cluster.startRenewal(first, 7n);
    cluster.settle();
    expect(granted()).toMatchObject({ kind: "leaseGrant" });
    // It came before the grant was committed, so either answer is right; the next one is not free to choose.
    expect([0, 5]).toContain(renewed());
    expect(cluster.renew(7n)).toBe(5);
  });

  test("of a lease that is gone, or never was, answers 0", () => {
    cluster.grant(7n, 60);
    cluster.revoke(7n);
    expect(cluster.renew(7n)).toBe(0);
    expect(cluster.renew(99n)).toBe(0);
  });

  test("after the deadline is not confirmed: it hears of the end, after the keys are gone", () => {
    cluster.grant(7n, 5);
    cluster.put("a", 7n);
    cluster.pass(5_000);
    // The leader can not end it now: its log reaches nobody.
    for (const follower of cluster.followers) follower.cutOff = true;
    cluster.pass(3 * tickMs);
    const answer = cluster.startRenewal(first, 7n);
    cluster.pass(tickMs);
    expect(answer()).toBeUndefined();
    for (const follower of cluster.followers) follower.cutOff = false;
    cluster.pass(2 * tickMs);
    expect(answer()).toBe(0);
    expect(first.mvcc.keyCount).toBe(0);
  });

  test("is not confirmed by a revoke that it raced: both stand in one order", () => {
    cluster.grant(7n, 60);
    // A checkpoint in the log makes the keep-alive wait for an entry of its own.
    cluster.pass(13_000);
    expect(first.leases.find(7n)!.remainingSeconds).toBeGreaterThan(0);
    const revoked = cluster.submit(first, 9, Uint8Array.of(8, 7));
    const renewed = cluster.startRenewal(first, 7n);
    cluster.settle();
    expect(revoked()).toMatchObject({ kind: "leaseRevoke" });
    expect(renewed()).toBe(0);
  });

  test("is sent on by a member that does not lead", () => {
    cluster.grant(7n, 5);
    expect(cluster.renew(7n, cluster.followers[0])).toBeNull();
  });

  test("is not confirmed by a leader that was deposed and does not know it", () => {
    cluster.grant(7n, 30);
    cluster.loseLeader();
    first.paused = false;
    const answer = cluster.startRenewal(first, 7n);
    cluster.settle();
    expect(answer()).toBeUndefined();
    first.cutOff = false;
    cluster.pass(2 * tickMs);
    expect(answer()).toBeNull();
  });
});

describe("a deposed leader", () => {
  test("that slept past the deadline ends no lease that its successor renewed", () => {
    cluster.grant(7n, 5);
    cluster.put("a", 7n);
    cluster.loseLeader();
    cluster.pass(2_000);
    expect(cluster.renew(7n)).toBe(5);
    cluster.pass(3_000);
    // It wakes: for its clock the lease is over, and it believes that it leads.
    first.cutOff = false;
    first.paused = false;
    expect(first.leads).toBe(true);
    first.core.step({ type: "tick", nowMs: cluster.nowMs });
    cluster.settle();
    cluster.pass(tickMs);
    expect(first.leads).toBe(false);
    expect(holders(7n)).toEqual([1n, 2n, 3n]);
    expect(cluster.leftSeconds(7n)).toBeGreaterThanOrEqual(1);
    cluster.pass(3_000);
    expect(holders(7n)).toEqual([]);
  });

  test("puts no end of a lease into its log before a quorum confirmed it after the deadline", () => {
    cluster.grant(7n, 5);
    cluster.pass(4_900);
    for (const follower of cluster.followers) follower.cutOff = true;
    const next = first.core.raft.state.log.lastIndex() + 1;
    cluster.pass(5 * tickMs);
    expect(first.leads).toBe(true);
    expect(first.leases.timing.earliestExpired()).toBeDefined();
    expect(fieldsFrom(next)).not.toContain(RequestField.LeaseRevoke);
    cluster.heal();
    cluster.pass(tickMs);
    expect(fieldsFrom(next)).toContain(RequestField.LeaseRevoke);
  });
});

describe("a new leader", () => {
  test("goes on from what was left, by the checkpoint that a transfer writes", () => {
    cluster.grant(7n, 60);
    cluster.pass(20_000);
    first.core.step({ type: "transferLeadership", target: second.id });
    cluster.settle();
    cluster.pass(tickMs);
    expect(cluster.leader).toBe(second);
    const left = cluster.leftSeconds(7n)!;
    expect(left).toBeGreaterThanOrEqual(40);
    expect(left).toBeLessThanOrEqual(40 + 1 + electionTimeoutMs / 1_000);
  });

  test("goes on from the last checkpoint when the old one just vanished, change after change", () => {
    const ttl = 60;
    cluster.grant(7n, ttl);
    const startedMs = cluster.nowMs;
    for (let change = 0; change < 3; change++) {
      cluster.pass(15_000);
      const gone = cluster.loseLeader();
      cluster.heal();
      cluster.pass(tickMs);
      expect(cluster.leader).not.toBe(gone);
      const elapsedSeconds = (cluster.nowMs - startedMs) / 1_000;
      // Never less than is left; at most a checkpoint's distance, rounding, and an election more for each change.
      expect(cluster.leftSeconds(7n)).toBeGreaterThanOrEqual(Math.floor(ttl - elapsedSeconds));
    }
    expect(cluster.leftSeconds(7n)).toBeLessThan(ttl / 2);
  });

  test("never ends a lease early that was renewed while a checkpoint of it was on its way", () => {
    cluster.grant(7n, 10);
    // Up to the moment when the checkpoint is proposed but not committed.
    cluster.pass(1_900);
    for (const follower of cluster.followers) follower.cutOff = true;
    cluster.pass(3 * tickMs);
    const answer = cluster.startRenewal(first, 7n);
    cluster.settle();
    for (const follower of cluster.followers) follower.cutOff = false;
    cluster.pass(2 * tickMs);
    expect(answer()).toBe(10);
    for (const { leases } of cluster.members) expect(leases.find(7n)!.remainingSeconds).toBe(0);
    cluster.loseLeader();
    // Not the checkpoint's 8 seconds: all of them, but for what passed since the new leader came.
    expect(cluster.leftSeconds(7n)).toBeGreaterThanOrEqual(9);
  });

  test("lets every lease live an election timeout longer", () => {
    cluster.grant(7n, 5);
    cluster.loseLeader();
    const lease = cluster.leader.leases.find(7n)!;
    const leftMs = cluster.leader.leases.timing.remainingMs(lease)!;
    // At most one election timeout passed since it was promoted, one tick after the election.
    expect(leftMs).toBeGreaterThan(5_000 - electionTimeoutMs + electionTimeoutMs - tickMs);
    cluster.heal();
    cluster.pass(leftMs + 3 * tickMs);
    expect(holders(7n)).toEqual([]);
  });
});

describe("many leases", () => {
  test("that end in the same moment leave in batches, with room for puts in between", () => {
    const count = 3 * limits.leaseRevokesInFlightMax;
    for (let id = 1n; id <= BigInt(count); id++) {
      cluster.submit(first, 8, Uint8Array.of(8, 5, 16, ...varint(id)));
    }
    cluster.settle();
    expect(first.leases.count).toBe(count);
    cluster.pass(5_000);
    expect(first.leases.count).toBe(count);
    cluster.pass(3 * tickMs);
    expect(cluster.members.map(({ leases }) => leases.count)).toEqual([0, 0, 0]);
    expect(first.registry.counter("etcd_debugging_server_lease_expired_total").value).toBe(count);
    expect(second.registry.counter("etcd_debugging_lease_revoked_total").value).toBe(count);
    expect(second.registry.counter("etcd_debugging_server_lease_expired_total").value).toBe(0);
  });
});

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}
