/** A member that holds on to the garbage of a busy time takes memory from its neighbours; one that collects while busy pauses its clients. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startIdleCollector } from "../../src/server/idle-collector.js";
import { repositoryRoot } from "../support/server-binary.js";

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

  it("collects again when there is much to win, or something and it has rested for long", () => {
    pass(60, 0.01);
    bytes += 1 * mib;
    pass(60, 0.01);
    expect(collections).toBe(2);
    bytes += 3 * mib;
    pass(5, 0.5);
    pass(5, 0.01);
    expect(collections).toBe(2);
    pass(3, 0.01);
    expect(collections).toBe(3);
    bytes += 10 * mib;
    pass(1, 0.5);
    pass(2, 0.01);
    expect(collections).toBe(4);
  });

  it("spares a member with a large heap the long pause", () => {
    bytes = 600 * mib;
    pass(10, 0.01);
    expect(collections).toBe(0);
  });
});

/**
 * What V8 says while a program with compiled code for a class, of which no object is left, has its garbage collected.
 * Marking in the background would let V8 end some collections before it knows that the class is still in use.
 */
function collectInProcess(collect: string): string {
  const built = JSON.stringify(join(repositoryRoot, "dist/server/idle-collector.js"));
  const script = `
    import { PerformanceObserver, constants } from "node:perf_hooks";
    import { runInNewContext } from "node:vm";
    import { garbageCollector } from ${built};
    class Request { constructor(id) { this.id = id; this.next = id + 1; } }
    let last;
    const serve = (requests) => { let sum = 0; for (let id = 0; id < requests; id++) { last = new Request(id); sum += last.next; } return sum; };
    const lasting = Array.from({ length: 500_000 }, (_, index) => ({ index }));
    for (let turn = 0; turn < 5_000; turn++) serve(100);
    last = undefined;
    lasting.length = 400_000;
    const collect = garbageCollector();
    new PerformanceObserver((list) => {
      const whole = list.getEntries().find((entry) => entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
      if (whole === undefined) return;
      console.log("collected, used before", before > process.memoryUsage().heapUsed);
      process.exit();
    }).observe({ entryTypes: ["gc"] });
    const before = process.memoryUsage().heapUsed;
    ${collect};
    setInterval(() => {}, 1_000);`;
  return execFileSync(
    process.execPath,
    [
      ...["--no-memory-reducer", "--no-concurrent-marking", "--trace-deopt", "--input-type=module", "-e"],
      script,
    ],
    { encoding: "utf8", timeout: 20_000 },
  );
}

describe("a collection", () => {
  it("leaves the code of classes that have no object just now", () => {
    const told = collectInProcess("collect()");
    expect(told).toContain("collected, used before true");
    expect(told).not.toContain("reason: weak objects");
  });

  it("would cost that code if it was forced", () => {
    expect(collectInProcess(`runInNewContext("gc")()`)).toContain("reason: weak objects");
  });
});
