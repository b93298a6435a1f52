/** If these fail, a slow disk stops the event loop with every write, or a fast one is never used at its speed. */
import { describe, expect, it } from "vitest";
import { SyncPolicy, syncPolicyFigures } from "../../../src/storage/wal/sync-policy.js";

const { windowMin, forgiveAfter, loopSyncBytesMax, loopWriteBytesMax, stallInPoolMs } = syncPolicyFigures;

function inPool(policy: SyncPolicy, count: number, durationMs: (at: number) => number): void {
  for (let at = 0; at < count; at++) policy.tookInPool(durationMs(at));
}

describe("where writes are made", () => {
  it("begins in the pool and moves to the loop when the disk proves to be fast", () => {
    const policy = new SyncPolicy();
    expect(policy.syncsOnLoop(100)).toBe(false);
    // A busy event loop makes most answers look late; the quickest tells.
    inPool(policy, windowMin, (at) => (at === 7 ? 0.2 : 5));
    expect(policy.syncsOnLoop(100)).toBe(true);
    expect(policy.syncsOnLoop(loopSyncBytesMax + 1)).toBe(false);
    expect(policy.writesOnLoop(loopSyncBytesMax + 1)).toBe(true);
    expect(policy.writesOnLoop(loopWriteBytesMax + 1)).toBe(false);
  });

  it("stays in the pool with a slow disk", () => {
    const policy = new SyncPolicy();
    inPool(policy, 20 * windowMin, () => 1);
    expect(policy.syncsOnLoop(100)).toBe(false);
  });

  it("leaves the loop after one stall, and waits twice as long after each", () => {
    const policy = new SyncPolicy();
    let window = windowMin;
    for (let stall = 0; stall < 3; stall++) {
      inPool(policy, window - 1, () => 0.1);
      expect(policy.syncsOnLoop(100)).toBe(false);
      policy.tookInPool(0.1);
      expect(policy.syncsOnLoop(100)).toBe(true);
      policy.tookOnLoop(30);
      expect(policy.syncsOnLoop(100)).toBe(false);
      window *= 2;
    }
  });

  it("leaves the loop when answers become slower on the whole", () => {
    const policy = new SyncPolicy();
    inPool(policy, windowMin, () => 0.1);
    for (let at = 0; at < 3; at++) policy.tookOnLoop(0.5);
    expect(policy.syncsOnLoop(100)).toBe(true);
    for (let at = 0; at < 20; at++) policy.tookOnLoop(0.5);
    expect(policy.syncsOnLoop(100)).toBe(false);
  });

  it("leaves the loop when large batches, which are synced in the pool, stall", () => {
    const policy = new SyncPolicy();
    inPool(policy, windowMin, () => 0.1);
    policy.tookInPool(stallInPoolMs);
    expect(policy.syncsOnLoop(100)).toBe(true);
    policy.tookInPool(stallInPoolMs + 1);
    expect(policy.syncsOnLoop(100)).toBe(false);
  });

  it("writes on the loop whatever the disk, but for a while after a write that had to wait", () => {
    const policy = new SyncPolicy();
    inPool(policy, 20 * windowMin, () => 5);
    expect(policy.writesOnLoop(100)).toBe(true);
    for (const window of [windowMin, 2 * windowMin]) {
      policy.wroteOnLoop(30);
      for (let at = 0; at < window; at++) {
        expect(policy.writesOnLoop(100)).toBe(false);
        policy.wroteInPool();
      }
      expect(policy.writesOnLoop(100)).toBe(true);
    }
    for (let at = 0; at < forgiveAfter; at++) policy.wroteOnLoop(0.1);
    policy.wroteOnLoop(30);
    for (let at = 0; at < windowMin; at++) policy.wroteInPool();
    expect(policy.writesOnLoop(100)).toBe(true);
  });

  it("forgets old stalls after a long good time", () => {
    const policy = new SyncPolicy();
    inPool(policy, windowMin, () => 0.1);
    policy.tookOnLoop(30);
    inPool(policy, 2 * windowMin, () => 0.1);
    for (let at = 0; at < forgiveAfter; at++) policy.tookOnLoop(0.1);
    policy.tookOnLoop(30);
    inPool(policy, 2 * windowMin, () => 0.1);
    expect(policy.syncsOnLoop(100)).toBe(true);
  });
});
