/** A member that holds on to the garbage of a busy time takes memory from its neighbours; one that collects while busy pauses its clients. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startIdleCollector } from "../../src/server/idle-collector.js";

const mib = 1024 * 1024;

describe("the idle collector", () => {
  let cpuMs = 0;
  let bytes = 0;
  let collections = 0;

  beforeEach(() => {
    cpuMs = 0;
    bytes = 30 * mib;
    collections = 0;
    vi.useFakeTimers();
    vi.spyOn(process, "cpuUsage").mockImplementation((before) => ({
      user: cpuMs * 1_000 - (before?.user ?? 0),
      system: 0,
    }));
    vi.spyOn(process, "memoryUsage").mockImplementation(
      () => ({ heapUsed: bytes, external: 0 }) as NodeJS.MemoryUsage,
    );
    startIdleCollector(() => {
      collections++;
      bytes = 20 * mib;
    });
  });

  afterEach(() => {
    vi.clearAllTimers();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  function pass(seconds: number, cpuShare: number): void {
    for (let half = 0; half < 2 * seconds; half++) {
      cpuMs += 500 * cpuShare;
      vi.advanceTimersByTime(500);
    }
  }

  it("leaves a busy member alone, collects when it rests, and once more when it has rested for long", () => {
    pass(10, 0.5);
    expect(collections).toBe(0);
    pass(2, 0.01);
    expect(collections).toBe(1);
    pass(60, 0.01);
    expect(collections).toBe(2);
  });

  it("collects again when there is something to win", () => {
    pass(60, 0.01);
    bytes += 4 * mib;
    pass(60, 0.01);
    expect(collections).toBe(2);
    bytes += 10 * mib;
    pass(5, 0.01);
    expect(collections).toBe(3);
  });

  it("spares a member with many keys the long pause", () => {
    bytes = 500 * mib;
    pass(10, 0.01);
    expect(collections).toBe(0);
  });
});
