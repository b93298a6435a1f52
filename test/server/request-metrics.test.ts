/** How long requests take, in etcd's histograms. If this fails, dashboards and alerts about slow requests stay empty. */
import { beforeEach, describe, expect, test } from "vitest";
import { ReadTimes } from "../../src/api/read-times.js";
import { RequestField } from "../../src/apply/raft-request.js";
import { RequestTimes, requestName } from "../../src/apply/request-times.js";
import { storeError } from "../../src/base/errors.js";
import { type Logger, silentLogger } from "../../src/base/logger.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import { seededRandom } from "../../src/base/prng.js";
import { type Effects, noEffects } from "../../src/member/core/events.js";
import { LeaderWatch } from "../../src/member/leader-watch.js";
import { type MemberDeps, RunningMember } from "../../src/member/member.js";
import { measuredApply, requestDurations } from "../../src/server/show-metrics.js";

let registry: MetricRegistry;
let nowMs: number;
const clock = { monotonicMs: () => nowMs };
beforeEach(() => {
  registry = new MetricRegistry();
  nowMs = 1_000;
});

/** Series of a histogram by their labels, as "count sum". */
function series(name: string): Readonly<Record<string, string>> {
  const sums = new Map<string, string>();
  const found: Record<string, string> = {};
  for (const line of registry.text().split("\n")) {
    const match = /^(\w+)_(sum|count)\{(.*)\} (.*)$/.exec(line);
    if (match?.[1] !== name) continue;
    if (match[2] === "sum") sums.set(match[3]!, match[4]!);
    else found[match[3]!] = `${match[4]} ${sums.get(match[3]!)}`;
  }
  return found;
}
const requests = () => series("etcd_server_request_duration_seconds");

describe("what goes through the log", () => {
  function startMember() {
    const ids: bigint[] = [];
    const deps: Partial<MemberDeps> = {
      clock: clock as MemberDeps["clock"],
      driver: {
        push: (event: { readonly id?: bigint }) => ids.push(event.id!),
      } as unknown as MemberDeps["driver"],
      leaders: new LeaderWatch({ leaderLossMs: 2_000 }),
      random: seededRandom(1),
      requestTimes: requestDurations(registry),
    };
    const options = {
      clusterId: 1n,
      memberId: 2n,
      name: "two",
      requestBytesMax: 1_000,
      requestTimeoutMs: 5_000,
      quotaBytes: 0,
    };
    const member = new RunningMember(options, deps as MemberDeps);
    const propose = (field: (typeof RequestField)["Put"]) => {
      const answer = member.propose(field, new Uint8Array(), { timeoutMs: undefined });
      answer.settle({ resolve() {}, reject() {} });
      return ids.at(-1)!;
    };
    const observe = (effects: Partial<Effects>) => member.observe({ ...noEffects(), ...effects });
    return { member, propose, observe };
  }

  test("an outcome in the log is a success from when it came, an error like any other", () => {
    const { propose, observe } = startMember();
    const first = propose(RequestField.Put);
    nowMs += 4;
    const second = propose(RequestField.Put);
    nowMs += 8;
    observe({
      applied: [
        { id: first, field: RequestField.Put, outcome: { kind: "done" } },
        { id: second, field: RequestField.Put, outcome: storeError("LeaseNotFound") },
        { id: 0n, field: RequestField.Txn, outcome: { kind: "done" } },
      ],
    });
    expect(requests()).toEqual({ 'success="true",type="Put"': "2 0.02" });
  });

  test("one that is refused or given up is a failure", () => {
    const { member, propose, observe } = startMember();
    const refused = propose(RequestField.Put);
    propose(RequestField.Put);
    nowMs += 1_000;
    observe({ refused: [{ id: refused, reason: "tooManyRequests" }] });
    nowMs += 6_000;
    member.expireWaiters();
    expect(requests()).toEqual({ 'success="false",type="Put"': "2 8" });
    expect(member.failures.proposals).toBe(2);
  });
});

describe("reads", () => {
  const times = () => new ReadTimes({ clock, times: requestDurations(registry) });

  test("of local state are timed alone, confirmed ones from when they came, long ones to their end", async () => {
    const reads = times();
    expect(reads.local("Range", () => "a")).toBe("a");
    expect(reads.atOnce("Range", () => "a key")).toBe("a key");
    nowMs += 3;
    expect(reads.since(1_000, "ReadonlyTxn", () => "b")).toBe("b");
    const slices = reads.since(nowMs, "Range", async () => {
      nowMs += 5;
      return "c";
    });
    expect(await slices).toBe("c");
    expect(requests()).toEqual({
      'success="true",type="Range"': "3 0.005",
      'success="true",type="ReadonlyTxn"': "1 0.003",
    });
  });

  test("that end in an error are failures, at once or later", async () => {
    const reads = times();
    const fail = () => {
      throw storeError("Compacted");
    };
    expect(() => reads.local("Range", fail)).toThrow();
    expect(() => reads.atOnce("Range", fail)).toThrow();
    await expect(reads.local("Range", async () => fail())).rejects.toThrow();
    expect(requests()).toEqual({ 'success="false",type="Range"': "3 0" });
  });
});

describe("the apply of entries", () => {
  test("is timed one by one, and what is slow is counted and told", () => {
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (_, text, fields) => warnings.push(`${text} ${fields?.request}`),
    };
    const observer = measuredApply({ slowMs: 100 }, { registry, clock, logger });
    observer.begin();
    nowMs += 2;
    observer.applied({ id: 1n, field: RequestField.Put, outcome: { kind: "done" } });
    nowMs += 101;
    observer.applied({ id: 2n, field: RequestField.Txn, outcome: storeError("NoSpace") });
    nowMs += 500;
    observer.begin();
    observer.applied({ id: 3n, field: RequestField.Compaction, outcome: storeError("Compacted") });
    expect(series("etcd_server_apply_duration_seconds")).toEqual({
      'op="Compaction",success="true",version="v3"': "1 0",
      'op="Put",success="true",version="v3"': "1 0.002",
      'op="Txn",success="false",version="v3"': "1 0.101",
    });
    expect(registry.counter("etcd_server_slow_apply_total").value).toBe(1);
    expect(warnings).toEqual(["apply request took too long Txn"]);
  });
});

test("a request of a newer version has no name", () => {
  const seen: string[] = [];
  new RequestTimes((name, success) => {
    seen.push(`${name} ${success}`);
    return registry.histogram("etcd_server_request_duration_seconds", name, success);
  }).observe(requestName(4_711), true, 1);
  expect(seen).toEqual(["Unknown true"]);
});
