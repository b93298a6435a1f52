/** The other pieces of the benchmark that can be wrong without a sign of it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseOptions } from "../../bench/options.js";
import { decades, svgPlot } from "../../bench/plot.js";
import { parseCpuTicks, parseResidentBytes } from "../../bench/proc.js";
import { type CpuProfile, placeOf, roomOf, summariseProfile } from "../../bench/profile-summary.js";

describe("/proc", () => {
  test("CPU time is user and kernel time, whatever the process is called", () => {
    const fields = "S 1 2 3 4 5 6 7 8 9 10 130 27 11 12 20 0";
    expect(parseCpuTicks(`42 (node) ${fields}`)).toBe(157);
    expect(parseCpuTicks(`42 (a) b (c) ${fields}`)).toBe(157);
    expect(() => parseCpuTicks("42 (node) S 1")).toThrow("not a stat");
  });

  test("resident memory is in bytes", () => {
    expect(parseResidentBytes("Name:\tnode\nVmHWM:\t  900 kB\nVmRSS:\t  134 kB\nRssAnon:\t 1 kB\n")).toBe(
      134 * 1024,
    );
    expect(() => parseResidentBytes("Name:\tkthread\n")).toThrow("no VmRSS");
  });

  test.skipIf(process.platform !== "linux")("what this kernel says can be read", () => {
    expect(parseCpuTicks(readFileSync("/proc/self/stat", "latin1"))).toBeGreaterThan(0);
    expect(parseResidentBytes(readFileSync("/proc/self/status", "latin1"))).toBeGreaterThan(1e6);
  });
});

describe("options", () => {
  test("five runs of the table with grpc-go unless told otherwise", () => {
    const options = parseOptions([], "/tmp");
    expect(options).toMatchObject({
      mode: "table",
      runs: 5,
      quick: false,
      client: "grpc-go",
      writeDocs: false,
    });
    expect(parseOptions(["--quick"], "/tmp").runs).toBe(1);
    expect(parseOptions(["--quick", "--runs", "3"], "/tmp").runs).toBe(3);
  });

  test("--micro takes the name of what to run", () => {
    const options = parseOptions(["--micro", "wal"], "/tmp");
    expect(options.mode).toBe("micro");
    expect(options.only.test("wal")).toBe(true);
    expect(options.only.test("mvcc")).toBe(false);
  });

  test("--write-docs alone measures nothing", () => {
    expect(parseOptions(["--write-docs"], "/tmp").mode).toBe("docs");
    expect(parseOptions(["--write-docs", "--quick"], "/tmp").mode).toBe("table");
  });

  test.each([
    [["--runs", "0"], "--runs 0"],
    [["--client", "curl"], "no client curl"],
    [["--growth", "--profile"], "choose one"],
    [["put"], "not understood: put"],
    [["--rnus", "3"], "--rnus"],
  ])("%s is refused", (args, message) => {
    expect(() => parseOptions(args, "/tmp")).toThrow(message);
  });
});

describe("plots", () => {
  test("an axis is whole decades around its values", () => {
    expect(decades([3, 4_000])).toEqual([0, 4]);
    expect(decades([0.04, 0.5])).toEqual([-2, 0]);
    expect(decades([100])).toEqual([2, 3]);
    expect(decades([])).toEqual([0, 1]);
  });

  test("every point is drawn inside the frame, and text cannot break the drawing", () => {
    const svg = svgPlot({
      ...{ name: "p", title: "a < b & c", xLabel: "keys", yLabel: "ms" },
      series: [{ name: "one", points: [1, 10, 1_000_000].map((x) => ({ x, y: x / 100 })) }],
    });
    expect(svg).toContain("a &lt; b &amp; c");
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
    expect(circles).toHaveLength(3);
    for (const [, across, down] of circles) {
      expect(Number(across)).toBeGreaterThanOrEqual(0);
      expect(Number(across)).toBeLessThanOrEqual(640);
      expect(Number(down)).toBeGreaterThanOrEqual(0);
      expect(Number(down)).toBeLessThanOrEqual(360);
    }
  });
});

describe("profiles", () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 1 });

  test("a frame belongs to its source file, its package, Node.js or V8", () => {
    const store = placeOf(frame("put", "file:///somewhere/dist/mvcc/store.js"));
    expect(store).toBe("src/mvcc/store.ts");
    expect(roomOf(store)).toBe("src/mvcc");
    const level = placeOf(frame("batch", "file:///a/node_modules/classic-level/index.js"));
    expect(level).toBe("classic-level");
    expect(placeOf(frame("x", "file:///a/node_modules/@scope/name/index.js"))).toBe("@scope/name");
    expect(roomOf(placeOf(frame("write", "node:net")))).toBe("Node.js");
    expect(roomOf("src/transport/http2/sender.ts")).toBe("src/transport/http2");
    expect(roomOf("src/storage/wal/wal.ts")).toBe("src/storage/wal");
    expect(roomOf(placeOf(frame("(garbage collector)", "")))).toBe("(garbage collector)");
  });

  test("a sample counts for the time until the next, inside the span, and idle time is no work", () => {
    const profile: CpuProfile = {
      startTime: 5,
      nodes: [
        { id: 1, callFrame: frame("put", "file:///x/dist/mvcc/store.js") },
        { id: 2, callFrame: frame("(idle)", "") },
        { id: 3, callFrame: frame("write", "node:net") },
      ],
      //        at 10, 40, 60, 100 and 1,000
      samples: [1, 2, 3, 1, 1],
      timeDeltas: [10, 30, 20, 40, 900],
    };
    const of = { workload: "put", requests: 10 };
    const summary = summariseProfile(profile, { fromMicros: 0, toMicros: 100 }, of);
    expect(summary.idleShare).toBeCloseTo(20 / 90);
    expect(summary.files).toEqual([
      { place: "node:net", microsPerRequest: 4, share: 40 / 70 },
      { place: "src/mvcc/store.ts", microsPerRequest: 3, share: 30 / 70 },
    ]);
    expect(summary.functions[1]!.place).toBe("put src/mvcc/store.ts");
  });
});
