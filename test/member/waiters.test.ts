import { describe, expect, test, vi } from "vitest";
import { isStoreError, storeError } from "../../src/base/errors.js";
import { LeaderWatch } from "../../src/member/leader-watch.js";
import { Waiter, WaitTable } from "../../src/member/waiters.js";
import type { Clock } from "../../src/ports/clock.js";

vi.mock("../../src/base/limits.js", async (original) => {
  const { limits } = (await original()) as typeof import("../../src/base/limits.js");
  return { limits: { ...limits, waitPlacesMax: 8_192 } };
});

function waitIn<Value>(table: WaitTable<Value>, startedMs: number): Waiter<Value> {
  const waiter = new Waiter<Value>(startedMs);
  table.add(waiter);
  return waiter;
}

describe("waiting requests", () => {
  test("those that began too long ago are told so, in order, and the others wait on", async () => {
    const table = new WaitTable<string>();
    const first = waitIn(table, 10);
    const second = waitIn(table, 20);
    const third = waitIn(table, 30);
    expect(table.expire(20, () => storeError("Timeout"))).toEqual([1, 2]);
    await expect(first).rejects.toSatisfy((error) => isStoreError(error, "Timeout"));
    await expect(second).rejects.toSatisfy((error) => isStoreError(error, "Timeout"));
    expect(table.resolve(3, "done")).toBeDefined();
    await expect(third).resolves.toBe("done");
    expect(table.resolve(3, "again")).toBeUndefined();
    expect(table.size).toBe(0);
  });

  test("any of them may be answered first, however many wait behind the oldest", async () => {
    const table = new WaitTable<number>();
    const oldest = waitIn(table, 0);
    const others = Array.from({ length: 5_000 }, () => waitIn(table, 0));
    const tickets = others.map((_, at) => at + 2);
    expect(table.nextTicket).toBe(5_002);
    for (const ticket of tickets.filter((ticket) => ticket % 3 === 0)) table.resolve(ticket, ticket);
    for (const ticket of tickets.filter((ticket) => ticket % 3 !== 0)) table.resolve(ticket, ticket);
    expect(table.size).toBe(1);
    table.resolve(1, 1);
    expect(await Promise.all([oldest, ...others])).toEqual([1, ...tickets]);
    expect([table.resolve(1, 0), table.resolve(5_002, 0)]).toEqual([undefined, undefined]);
    const next = waitIn(table, 0);
    expect(table.resolve(5_002, 7)).toBeDefined();
    await expect(next).resolves.toBe(7);
  });

  test("one that is never answered does not make the table grow without end", async () => {
    const table = new WaitTable<number>();
    const oldest = waitIn(table, 0);
    for (let ticket = 2; ticket <= 8_192; ticket++) {
      void waitIn(table, 0);
      table.resolve(ticket, ticket);
    }
    expect(() => waitIn(table, 0)).toThrow("RequestTooManyRequests");
    table.resolve(1, 1);
    expect(await oldest).toBe(1);
    const next = waitIn(table, 0);
    expect(table.resolve(8_193, 2)).toBeDefined();
    expect(await next).toBe(2);
  });

  test("when the member stops nobody is left waiting", async () => {
    const table = new WaitTable<string>();
    const waiting = [waitIn(table, 0), waitIn(table, 0)];
    table.rejectAll(storeError("Stopped"));
    for (const one of waiting) await expect(one).rejects.toSatisfy((error) => isStoreError(error, "Stopped"));
  });
});

describe("leaders", () => {
  function fakeClock(): { clock: Clock; fire: () => void } {
    let due: () => void = () => {};
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      every: () => () => {},
      after: (_delayMs, fire) => {
        due = fire;
        return () => {
          due = () => {};
        };
      },
    };
    return { clock, fire: () => due() };
  }

  test("a hand-over is over when the next leader is known, or when patience is", async () => {
    const leaders = new LeaderWatch({ leaderLossMs: 2_000 });
    const { clock, fire } = fakeClock();
    leaders.changed(1n, 0);
    const reached = leaders.until((leader) => leader === 2n, { limitMs: 100, clock });
    leaders.changed(0n, 10);
    leaders.changed(2n, 20);
    await expect(reached).resolves.toBe(true);
    const missed = leaders.until((leader) => leader === 3n, { limitMs: 100, clock });
    fire();
    await expect(missed).resolves.toBe(false);
  });

  test("a request that began around the loss of a leader is told that this may be why it failed", () => {
    const leaders = new LeaderWatch({ leaderLossMs: 2_000 });
    leaders.changed(1n, 10_000);
    expect(isStoreError(leaders.timeoutError(9_000), "TimeoutDueToLeaderFail")).toBe(true);
    expect(isStoreError(leaders.timeoutError(7_000), "Timeout")).toBe(true);
    expect(isStoreError(leaders.timeoutError(11_000), "Timeout")).toBe(true);
  });
});
