import { beforeEach, describe, expect, test } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import type { Lease } from "../../src/lease/lease.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { Lessor } from "../../src/lease/lessor.js";
import { MemoryRecords } from "./core-cluster.js";

let records: MemoryRecords;
let lessor: Lessor;
const registry = new MetricRegistry();

function open(): Lessor {
  return new Lessor({ records, metrics: leaseMetrics(registry) });
}

beforeEach(() => {
  records = new MemoryRecords();
  lessor = open();
});

function errorOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe("the log's half", () => {
  test("a grant is refused for id 0, for an id in use, and beyond the longest time", () => {
    const longest = limits.leaseTtlSecondsMax;
    expect(
      isStoreError(
        errorOf(() => lessor.grant(0n, 5)),
        "LeaseNotFound",
      ),
    ).toBe(true);
    expect(
      isStoreError(
        errorOf(() => lessor.grant(1n, longest + 1)),
        "LeaseTTLTooLarge",
      ),
    ).toBe(true);
    expect(lessor.grant(1n, longest).ttlSeconds).toBe(longest);
    expect(
      isStoreError(
        errorOf(() => lessor.grant(1n, 5)),
        "LeaseExist",
      ),
    ).toBe(true);
  });

  test("a member that starts again finds its leases, with what was left of them and without the revoked", () => {
    lessor.grant(-1n, 60);
    lessor.grant(2n, 60);
    lessor.remove(lessor.grant(3n, 60));
    lessor.checkpoint(2n, 17);
    lessor.checkpoint(99n, 5);
    const again = open();
    expect(
      [...again.all()].map(({ id, ttlSeconds, remainingSeconds }) => [id, ttlSeconds, remainingSeconds]),
    ).toEqual([
      [2n, 60, 17],
      [-1n, 60, 0],
    ]);
  });

  test("a checkpoint from elsewhere never gives a lease more than was granted", () => {
    const lease = lessor.grant(2n, 60);
    lessor.checkpoint(2n, 1_000);
    expect(lease.remainingSeconds).toBe(60);
    lessor.checkpoint(2n, -5);
    expect(lease.remainingSeconds).toBe(0);
  });

  test("keys come and go, and are named in order", () => {
    const lease = lessor.grant(2n, 60);
    expect(lease.keys).toEqual([]);
    for (const key of ["c", "a", "a", "b"]) lessor.attach(2n, key);
    expect(lease.keys).toEqual(["a", "b", "c"]);
    for (const key of ["a", "nobody"]) lessor.detach(2n, key);
    expect(lease.keys).toEqual(["b", "c"]);
    lessor.detach(2n, "b");
    lessor.detach(2n, "c");
    expect(lease.keys).toEqual([]);
  });
});

describe("the leader's half", () => {
  let lease: Lease;

  beforeEach(() => {
    lease = lessor.grant(7n, 10);
    lessor.timing.promote(lessor.all(), 1_000);
    lessor.timing.tick(1_000);
  });

  /** Puts in the log what is to be checkpointed. */
  function checkpoint(): readonly number[] {
    const taken = lessor.timing.takeCheckpoints();
    for (const { id, remainingSeconds } of taken) lessor.checkpoint(id, remainingSeconds);
    return taken.map(({ remainingSeconds }) => remainingSeconds);
  }

  test("a member that does not lead knows nothing of time", () => {
    lessor.timing.demote(lessor.all());
    lessor.timing.tick(1_000_000);
    expect(lessor.timing.remainingMs(lease)).toBeUndefined();
    expect(lessor.timing.earliestExpired()).toBeUndefined();
  });

  test("a keep-alive that comes after the deadline is answered when the end is decided", () => {
    lessor.timing.tick(20_000);
    lessor.timing.renew(lease, 1);
    expect(lessor.timing.takeAnswers()).toEqual([]);
    expect(lessor.timing.takeExpired(20_000, 10)).toEqual([lease]);
    lessor.timing.renew(lease, 2);
    expect(lessor.timing.takeAnswers()).toEqual([]);
    lessor.remove(lease);
    expect(lessor.timing.takeAnswers()).toEqual([
      { ticket: 1, ttlSeconds: 0 },
      { ticket: 2, ttlSeconds: 0 },
    ]);
  });

  test("who waited for the end is sent on when another one leads: the lease may live", () => {
    lessor.timing.tick(20_000);
    lessor.timing.renew(lease, 1);
    lessor.timing.demote(lessor.all());
    expect(lessor.timing.takeAnswers()).toEqual([{ ticket: 1, ttlSeconds: undefined }]);
  });

  test("a lease that nobody renews is checkpointed at every fifth of its time", () => {
    const seen: number[] = [];
    for (let nowMs = 1_000; nowMs <= 13_000; nowMs += 100) {
      lessor.timing.tick(nowMs);
      seen.push(...checkpoint());
    }
    // It had 11 seconds, an election's more than was granted.
    expect(seen).toEqual([8, 6, 4, 2]);
  });

  test("a lease that is renewed at each third of its time is never checkpointed once that is known", () => {
    lessor.timing.renew(lease, 0);
    const seen: number[] = [];
    for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 100) {
      lessor.timing.tick(nowMs);
      if (nowMs % 3_300 === 0) lessor.timing.renew(lease, nowMs);
      seen.push(...checkpoint());
    }
    expect(seen).toEqual([]);
    expect(lessor.timing.takeAnswers()).toHaveLength(19);
  });

  test("a keep-alive that waited long for the log counts from when the log took the checkpoint back", () => {
    lessor.timing.tick(4_000);
    expect(checkpoint()).toEqual([9]);
    lessor.timing.renew(lease, 1);
    const [taken] = lessor.timing.takeCheckpoints();
    expect(taken).toEqual({ id: 7n, remainingSeconds: 0 });
    // No quorum for long: the checkpoints that fall due meanwhile are passed over.
    for (let nowMs = 4_100; nowMs <= 12_900; nowMs += 100) lessor.timing.tick(nowMs);
    expect(checkpoint()).toEqual([]);
    lessor.checkpoint(7n, 0);
    expect(lessor.timing.takeAnswers()).toEqual([{ ticket: 1, ttlSeconds: 10 }]);
    expect(lessor.timing.remainingMs(lease)).toBe(10_000);
    const seen: number[] = [];
    for (let nowMs = 13_000; nowMs <= 17_000; nowMs += 100) {
      lessor.timing.tick(nowMs);
      seen.push(...checkpoint());
    }
    expect(seen).toEqual([7]);
    expect(lessor.timing.earliestExpired()).toBeUndefined();
    lessor.timing.tick(23_100);
    expect(lessor.timing.earliestExpired()).toBe(23_001);
  });

  test("a keep-alive is not confirmed when its lease ran out before the log took the checkpoint back", () => {
    lessor.timing.tick(4_000);
    checkpoint();
    lessor.timing.renew(lease, 1);
    lessor.timing.takeCheckpoints();
    lessor.timing.tick(4_100);
    lessor.timing.tick(14_200);
    lessor.timing.renew(lease, 2);
    lessor.checkpoint(7n, 0);
    expect(lessor.timing.takeAnswers()).toEqual([]);
    expect(lessor.timing.takeExpired(14_200, 10)).toEqual([lease]);
    lessor.remove(lease);
    expect(lessor.timing.takeAnswers()).toEqual([
      { ticket: 2, ttlSeconds: 0 },
      { ticket: 1, ttlSeconds: 0 },
    ]);
  });

  test("a refused revoke is tried again, once, after a while", () => {
    lessor.timing.tick(20_000);
    expect(lessor.timing.takeExpired(20_000, 10)).toEqual([lease]);
    lessor.timing.revokeFailed(lease);
    expect(lessor.timing.takeExpired(20_000, 10)).toEqual([]);
    lessor.timing.tick(20_000 + limits.leaseRevokeRetryMs);
    expect(lessor.timing.takeExpired(30_000, 10)).toEqual([lease]);
    expect(lessor.timing.takeExpired(30_000, 10)).toEqual([]);
  });

  test("a lease that a client revoked while its end was due is not ended twice", () => {
    lessor.timing.tick(20_000);
    lessor.remove(lease);
    expect(lessor.timing.earliestExpired()).toBeUndefined();
    expect(lessor.timing.takeExpired(20_000, 10)).toEqual([]);
  });

  test("no more ends are in the log at once than the bound says", () => {
    for (let id = 100n; id < 100n + 2n * BigInt(limits.leaseRevokesInFlightMax); id++) lessor.grant(id, 5);
    lessor.timing.tick(1_000);
    lessor.timing.tick(20_000);
    const taken = lessor.timing.takeExpired(20_000, Number.POSITIVE_INFINITY);
    expect(taken).toHaveLength(limits.leaseRevokesInFlightMax);
    expect(lessor.timing.hasWork(20_000)).toBe(false);
    lessor.remove(taken[0]!);
    expect(lessor.timing.takeExpired(20_000, 10)).toHaveLength(1);
  });

  test("only what ended before the leader was confirmed is given out", () => {
    lessor.timing.tick(20_000);
    expect(lessor.timing.takeExpired(12_000, 10)).toEqual([]);
    expect(lessor.timing.takeExpired(12_001, 10)).toEqual([lease]);
  });

  test("after a takeover more leases than one tick starts still end", () => {
    lessor.timing.demote(lessor.all());
    const count = limits.leaseStartsPerTickMax + 5_000;
    for (let id = 1_000n; id < 1_000n + BigInt(count); id++) lessor.grant(id, 5);
    lessor.timing.promote(lessor.all(), 0);
    for (let nowMs = 1_000; nowMs <= 12_000; nowMs += 100) lessor.timing.tick(nowMs);
    lessor.timing.tick(100_000);
    let ended = 0;
    for (let round = 0; round < 1_000; round++) {
      const taken = lessor.timing.takeExpired(100_000, 10_000);
      if (taken.length === 0) break;
      ended += taken.length;
      for (const one of taken) lessor.remove(one);
    }
    expect(ended).toBe(count + 1);
  });
});
