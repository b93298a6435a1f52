import { describe, expect, test } from "vitest";
import { RequestTimes } from "../../src/apply/request-times.js";
import type { ApplyResult } from "../../src/apply/result.js";
import type { RequestId } from "../../src/base/brand.js";
import type { Later } from "../../src/base/later.js";
import { Histogram } from "../../src/base/metrics.js";
import { type Random, seededRandom } from "../../src/base/prng.js";
import { type CoreEvent, noEffects } from "../../src/member/core/events.js";
import { type MemberDeps, RunningMember } from "../../src/member/member.js";
import { RequestIds } from "../../src/member/request-ids.js";

describe("ids of requests", () => {
  test("a restarted member, and another member, never take an id that is still in some log", () => {
    const before = new RequestIds(0x1234n, seededRandom(1));
    const after = new RequestIds(0x1234n, seededRandom(2));
    const other = new RequestIds(0x1235n, seededRandom(1));
    const ids = new Set<bigint>();
    for (let number = 1; number <= 1_000; number++)
      for (const member of [before, after, other]) ids.add(member.of(number));
    expect(ids.size).toBe(3_000);
    for (const id of ids) expect(id > 0n && id < 1n << 64n).toBe(true);
  });

  test("an answer finds the request that it is for, and no request of another member or another life", () => {
    const ids = new RequestIds(0xfedc_ba98_7654_f234n, seededRandom(1));
    for (const number of [1, 255, 256, 1_000_000, 2 ** 40]) expect(ids.numberOf(ids.of(number))).toBe(number);
    expect(ids.numberOf(new RequestIds(0x1235n, seededRandom(1)).of(7))).toBeUndefined();
    expect(ids.numberOf(0n)).toBeUndefined();
    const earlier = new RequestIds(0xf234n, seededRandom(2));
    expect(ids.numberOf(earlier.of(7))).toBeGreaterThan(2 ** 40);
  });

  test("the count goes on from zero where it began near its end", () => {
    const last: Random = { below: (bound) => bound - 1, fraction: () => 0 };
    const ids = new RequestIds(0x1234n, last);
    expect(ids.of(0)).toBe(0x1234_ffff_ffff_ffffn);
    expect(ids.of(2)).toBe(0x1234_0000_0000_0001n);
    for (const number of [1, 2, 1_000_000]) expect(ids.numberOf(ids.of(number))).toBe(number);
  });

  test("an entry of an earlier life answers nobody, though the clock shows the time of that start again", async () => {
    const lost = propose(startMember(1_700_000_004_673, seededRandom(1)));
    const after = startMember(1_700_000_004_673, seededRandom(2));
    const own = propose(after);
    applied(after, lost.id, { kind: "compaction", revision: 5 });
    expect(after.member.proposalsPending).toBe(1);
    applied(after, own.id, { kind: "compaction", revision: 6 });
    await expect(own.answer).resolves.toEqual({ kind: "compaction", revision: 6 });
  });
});

/** A member just started, and what it gave its driver. */
interface Started {
  readonly member: RunningMember;
  readonly events: CoreEvent[];
}

const requestTimes = new RequestTimes(() => new Histogram([]));

function startMember(wallMs: number, random: Random): Started {
  const events: CoreEvent[] = [];
  const clock = { nowMs: () => wallMs, monotonicMs: () => 0 };
  const driver = { push: (event: CoreEvent) => events.push(event) };
  const options = {
    clusterId: 1n,
    memberId: 2n,
    name: "two",
    requestBytesMax: 1_000,
    requestTimeoutMs: 1_000,
    quotaBytes: 0,
  };
  // A proposal goes no further than to the driver, so that the rest is never asked.
  return {
    member: new RunningMember(options, { clock, driver, random, requestTimes } as unknown as MemberDeps),
    events,
  };
}

/** Any request will do: it is not carried out. */
function propose({ member, events }: Started): { id: RequestId; answer: Later<ApplyResult> } {
  const answer = member.propose(4, new Uint8Array(), { timeoutMs: undefined });
  const event = events.at(-1);
  if (event?.type !== "propose") throw new Error("nothing was proposed");
  return { id: event.id, answer };
}

function applied({ member }: Started, id: RequestId, outcome: ApplyResult): void {
  member.observe({ ...noEffects(), applied: [{ id, field: 4, outcome }] });
}
