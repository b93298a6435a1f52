/** If these fail, a slow disk stops the event loop with every write, or a fast one is never used at its speed. */
import { describe, expect, it } from "vitest";
import { SyncPolicy, syncPolicyFigures } from "../../../src/storage/wal/sync-policy.js";

const { fastMs, windowSyncs, debtShare, debtMsMax, loopSyncBytesMax, loopWriteBytesMax } = syncPolicyFigures;

function inPool(policy: SyncPolicy, count: number, durationMs: (at: number) => number): void {
  for (let at = 0; at < count; at++) policy.syncedInPool(durationMs(at));
}

function provenFast(): SyncPolicy {
  const policy = new SyncPolicy();
  inPool(policy, windowSyncs, () => 0.1);
  expect(policy.syncsOnLoop(100, 0)).toBe(true);
  return policy;
}

/** What a put after the other sees: where its sync is made, and how long the loop stood still for it in all. */
function putAfterPut(policy: SyncPolicy, count: number, diskMs: (at: number) => number) {
  let nowMs = 0;
  let onLoop = 0;
  let lostMs = 0;
  for (let at = 0; at < count; at++) {
    nowMs += 0.1;
    const tookMs = diskMs(at);
    if (policy.syncsOnLoop(400, nowMs)) {
      onLoop++;
      lostMs += Math.max(0, tookMs - fastMs);
      policy.tookOnLoop(tookMs, nowMs + tookMs);
    } else policy.syncedInPool(tookMs);
    nowMs += tookMs;
  }
  return { onLoop, lostShare: lostMs / nowMs };
}

describe("where writes are made", () => {
  it("begins in the pool and moves to the loop when the disk proves to be fast", () => {
    const policy = new SyncPolicy();
    expect(policy.syncsOnLoop(100, 0)).toBe(false);
    // A busy event loop makes most answers look late; the quickest tells.
    inPool(policy, windowSyncs, (at) => (at === 7 ? 0.2 : 5));
    expect(policy.syncsOnLoop(100, 0)).toBe(true);
    expect(policy.syncsOnLoop(loopSyncBytesMax + 1, 0)).toBe(false);
    expect(policy.writesOnLoop(loopSyncBytesMax + 1, 0)).toBe(true);
    expect(policy.writesOnLoop(loopWriteBytesMax + 1, 0)).toBe(false);
  });

  it("stays in the pool with a slow disk, but for the writes", () => {
    const policy = new SyncPolicy();
    inPool(policy, 20 * windowSyncs, () => 1);
    expect(policy.syncsOnLoop(100, 0)).toBe(false);
    expect(policy.writesOnLoop(100, 0)).toBe(true);
  });

  it("stays on the loop with a disk that stalls now and then", () => {
    const { onLoop } = putAfterPut(provenFast(), 20_000, (at) => (at % 100 === 99 ? 4 : 0.13));
    expect(onLoop).toBe(20_000);
  });

  it("leaves the loop after a long stall until its time is made up for, and the disk was fast again", () => {
    const policy = provenFast();
    const stallMs = 10 * debtMsMax;
    policy.tookOnLoop(stallMs, 1_000);
    const paidMs = 1_000 + (stallMs - fastMs) / debtShare;
    inPool(policy, windowSyncs, () => 0.1);
    expect(policy.syncsOnLoop(100, paidMs - 1)).toBe(false);
    expect(policy.writesOnLoop(100, paidMs - 1)).toBe(false);
    expect(policy.syncsOnLoop(100, paidMs + 1)).toBe(true);
    policy.tookOnLoop(stallMs, 100_000);
    expect(policy.writesOnLoop(100, 200_000)).toBe(true);
    expect(policy.syncsOnLoop(100, 200_000)).toBe(false);
  });

  it("never stands still for more than its share of the time, however the disk behaves", () => {
    for (const diskMs of [0.45, 1, 3, 20]) {
      // Fast just often enough to be tried again and again.
      const tried = putAfterPut(provenFast(), 20_000, (at) => (at % windowSyncs === 0 ? 0.1 : diskMs));
      expect(tried.lostShare).toBeLessThan(debtShare * 1.05);
    }
  });

  it("writes in the pool for a while after a write that had to wait", () => {
    const policy = new SyncPolicy();
    expect(policy.writesOnLoop(100, 1_000)).toBe(true);
    policy.tookOnLoop(2 * debtMsMax, 1_000);
    expect(policy.writesOnLoop(100, 1_001)).toBe(false);
    expect(policy.writesOnLoop(100, 1_000 + (2 * debtMsMax) / debtShare)).toBe(true);
  });
});
