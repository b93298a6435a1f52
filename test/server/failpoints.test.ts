import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failpointNames, failpoints } from "../../src/base/failpoint.js";
import { silentLogger } from "../../src/base/logger.js";
import { startFailpoints } from "../../src/server/failpoint-server.js";
import { parseFailpointTerms } from "../../src/server/failpoint-terms.js";
import { type FailpointEffects, FailpointSwitchboard, processEffects } from "../../src/server/failpoints.js";

class Crash extends Error {}

class RecordedEffects implements FailpointEffects {
  readonly seen: string[] = [];
  fraction = 0;
  crash(message: string): never {
    throw new Crash(message);
  }
  block(durationMs: number): void {
    this.seen.push(`block ${durationMs}`);
  }
  print(line: string): void {
    this.seen.push(line);
  }
  random(): number {
    return this.fraction;
  }
}

let effects: RecordedEffects;
beforeEach(() => {
  effects = new RecordedEffects();
});
afterEach(() => {
  for (const name of failpointNames) failpoints[name] = undefined;
});

describe("terms", () => {
  test.each([
    ["panic", [{ conditions: [], action: { kind: "panic", message: undefined } }]],
    ['panic("why")', [{ conditions: [], action: { kind: "panic", message: "why" } }]],
    ['sleep("100ms")', [{ conditions: [], action: { kind: "sleep", durationMs: 100 } }]],
    ["sleep(100)", [{ conditions: [], action: { kind: "sleep", durationMs: 100 } }]],
    ['return("a \\"b\\"")', [{ conditions: [], action: { kind: "return", value: 'a "b"' } }]],
    ["return()", [{ conditions: [], action: { kind: "return", value: "" } }]],
    ["return(true)", [{ conditions: [], action: { kind: "return", value: "true" } }]],
    [
      "3*50%print->off",
      [
        {
          conditions: [
            { kind: "count", times: 3 },
            { kind: "probability", fraction: 0.5 },
          ],
          action: { kind: "print" },
        },
        { conditions: [], action: { kind: "off" } },
      ],
    ],
    ["12.5%off", [{ conditions: [{ kind: "probability", fraction: 0.125 }], action: { kind: "off" } }]],
  ])("%s", (text, steps) => {
    expect(parseFailpointTerms(text)).toEqual(steps);
  });

  test.each([
    [""],
    ["boom"],
    ["panic->"],
    ["panic;panic"],
    ["1.5*off"],
    ["sleep"],
    ['sleep("x")'],
    ["return(x)"],
    ["3*"],
    ["panic off"],
  ])("%j is none", (text) => {
    expect(parseFailpointTerms(text)).toBeUndefined();
  });
});

describe("a place that is reached", () => {
  test("does nothing while nothing is set", () => {
    expect(failpoints.beforeCommit).toBeUndefined();
  });

  test("counts down through a chain, then does nothing", () => {
    const board = new FailpointSwitchboard(effects);
    board.enable("beforeCommit", '2*sleep(5)->1*return("x")');
    const results = [1, 2, 3, 4, 5].map(() => failpoints.beforeCommit?.());
    expect(effects.seen).toEqual(["block 5", "block 5"]);
    expect(results).toEqual([undefined, undefined, "x", undefined, undefined]);
    expect(board.status("beforeCommit").count).toBe(3);
  });

  test("crashes with its name, or with the text that it was given", () => {
    const board = new FailpointSwitchboard(effects);
    board.enable("walAfterSync", "panic");
    expect(() => failpoints.walAfterSync?.()).toThrow(new Crash("failpoint panic: walAfterSync"));
    board.enable("walAfterSync", 'panic("so")');
    expect(() => failpoints.walAfterSync?.()).toThrow(new Crash("failpoint panic: so"));
  });

  test("acts in some cases only", () => {
    new FailpointSwitchboard(effects).enable("afterCommit", "20%print");
    effects.fraction = 0.3;
    failpoints.afterCommit?.();
    expect(effects.seen).toEqual([]);
    effects.fraction = 0.1;
    failpoints.afterCommit?.();
    expect(effects.seen).toEqual(["failpoint print: afterCommit"]);
  });

  test("sleep stops everything, not just the one who waits", () => {
    const start = performance.now();
    processEffects.block(30);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  });
});

describe("the protocol over HTTP", () => {
  let server: Server;
  let base: string;
  beforeEach(async () => {
    const environment = {
      GOFAIL_HTTP: "127.0.0.1:0",
      GOFAIL_FAILPOINTS: 'beforeCommit=sleep("1ms");noSuchPlace=panic;afterCommit=nonsense',
    };
    server = (await startFailpoints(environment, { effects, log: silentLogger }))!;
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  async function call(method: string, path: string, body?: string): Promise<string> {
    const response = await fetch(base + path, { method, ...(body === undefined ? {} : { body }) });
    return `${response.status} ${await response.text()}`;
  }

  test("GET / lists every failpoint with its term, sorted", async () => {
    const lines = (await call("GET", "/")).replace("200 ", "").trimEnd().split("\n");
    expect(lines).toHaveLength(failpointNames.length);
    expect(lines).toContain('beforeCommit=sleep("1ms")');
    expect(lines).toContain("afterCommit=");
    expect(lines).toEqual([...lines].sort());
  });

  test("PUT sets, GET tells, /count counts, DELETE clears", async () => {
    expect(await call("PUT", "/walBeforeSync", 'return("x")')).toBe("204 ");
    expect(await call("GET", "/walBeforeSync")).toBe('200 return("x")\n');
    expect(failpoints.walBeforeSync?.()).toBe("x");
    expect(await call("GET", "/walBeforeSync/count")).toBe("200 1");
    expect(await call("DELETE", "/walBeforeSync")).toBe("204 ");
    expect(failpoints.walBeforeSync).toBeUndefined();
  });

  test("PUT /failpoints sets several", async () => {
    expect(await call("PUT", "/failpoints", "walBeforeSync=panic;raftBeforeSave=off")).toBe("204 ");
    expect(failpoints.raftBeforeSave?.()).toBeUndefined();
    expect(() => failpoints.walBeforeSync?.()).toThrow(Crash);
    expect(await call("PUT", "/failpoints", "a=b=c")).toMatch(/^400 fail to parse failpoint/);
  });

  test.each([
    ["PUT", "/nope", "panic", "400 fail to set failpoint: failpoint: failpoint does not exist\n"],
    ["PUT", "/walBeforeSync", "boom", "400 fail to set failpoint: failpoint: could not parse terms\n"],
    ["GET", "/nope", undefined, "404 failed to GET: failpoint: failpoint does not exist\n"],
    ["GET", "/walBeforeSync", undefined, "404 failed to GET: failpoint: failpoint is disabled\n"],
    ["GET", "/walBeforeSync/count", undefined, "500 failed to GET: failpoint: failpoint is disabled\n"],
    [
      "DELETE",
      "/walBeforeSync",
      undefined,
      "400 failed to delete failpoint failpoint: failpoint is disabled\n",
    ],
    ["POST", "/walBeforeSync", "panic", "405 Method not allowed\n"],
  ])("%s %s %s", async (method, path, body, answer) => {
    expect(await call(method, path, body)).toBe(answer);
  });
});

test("an address or a list that can not be used ends the start", async () => {
  const deps = { effects, log: silentLogger };
  await expect(startFailpoints({ GOFAIL_HTTP: "nowhere" }, deps)).rejects.toThrow(
    "GOFAIL_HTTP is not host:port",
  );
  await expect(startFailpoints({ GOFAIL_FAILPOINTS: "a=b=c" }, deps)).rejects.toThrow("GOFAIL_FAILPOINTS");
  expect(await startFailpoints({}, deps)).toBeUndefined();
});
