/** Who writes first when answers to pings wait on many connections. If this fails, a request waits for the pings of all others. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "../../src/base/limits.js";
import { flushSoon, type LateFlushable, noteArrival } from "../../src/transport/http2/late-flush.js";

/** What happens, in order: turns of the event loop and writes. */
let told: string[] = [];

/** Waits while the thread is busy, as one whose answer to a request may still take the ping's along. */
function waitingConnection(name: string): LateFlushable {
  return {
    flushLate: (busy) => {
      told.push(busy ? `${name} waits` : `${name} writes`);
      return busy ? "waits" : "written";
    },
  };
}

beforeEach(() => {
  told = [];
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function turnAfterTurn(turns: number): void {
  for (let turn = 0; turn < turns; turn++) {
    told.push("turn");
    vi.advanceTimersToNextTimer();
  }
}

test("a thread with nothing else to do writes to one connection a turn", () => {
  for (const name of ["a", "b", "c"]) flushSoon(waitingConnection(name));
  vi.advanceTimersByTime(limits.lateFlushMs - 1);
  expect(told).toEqual([]);
  turnAfterTurn(4);
  expect(told).toEqual(["turn", "turn", "a writes", "turn", "b writes", "turn", "c writes"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what arrives between two such turns comes before the connections that are left, and they are looked at again", () => {
  for (const name of ["a", "b", "c"]) flushSoon(waitingConnection(name));
  turnAfterTurn(2);
  noteArrival();
  turnAfterTurn(1);
  expect(told).toEqual(["turn", "turn", "a writes", "turn", "b waits", "c waits"]);
  told = [];
  turnAfterTurn(3);
  expect(told).toEqual(["turn", "turn", "b writes", "turn", "c writes"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("one that comes during a look is looked at by the next", () => {
  flushSoon(waitingConnection("a"));
  turnAfterTurn(1);
  flushSoon(waitingConnection("b"));
  turnAfterTurn(1);
  expect(told).toEqual(["turn", "turn", "a writes"]);
  told = [];
  turnAfterTurn(2);
  expect(told).toEqual(["turn", "turn", "b writes"]);
});
