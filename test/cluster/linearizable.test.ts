/** The checker that the scenarios with faults lean on: what must not be, planted, is found and named. */
import { describe, expect, test } from "vitest";
import {
  type Action,
  type Answer,
  type Change,
  checkLinearizable,
  type Operation,
} from "../../cluster-test/linearizable.js";

/** Revision 1 is the empty store; 2: a=1, 3: a=2, 4: a is deleted, 5: a=3. */
const truth: readonly Change[] = [
  { revision: 2, key: "a", value: "1" },
  { revision: 3, key: "a", value: "2" },
  { revision: 4, key: "a", value: undefined },
  { revision: 5, key: "a", value: "3" },
];

/** From `startedMs` on, for 5 ms. */
function done(startedMs: number, action: Action, answer: Partial<Answer> | undefined): Operation {
  const told = answer === undefined ? undefined : { revision: 1, took: false, seen: undefined, ...answer };
  return { action, startedMs, endedMs: startedMs + 5, answer: told };
}

const put = (value: string): Action => ({ kind: "put", key: "a", value });
const get: Action = { kind: "get", key: "a" };
const remove: Action = { kind: "delete", key: "a" };
const swap = (expected: string | undefined, value: string): Action => ({
  kind: "swap",
  key: "a",
  expected,
  value,
});

const putOne = done(10, put("1"), { revision: 2, took: true });
const swapOneForTwo = done(20, swap("1", "2"), { revision: 3, took: true });
const deleteTwo = done(30, remove, { revision: 4, took: true });
const putThree = done(40, put("3"), { revision: 5, took: true });
const writes = [putOne, swapOneForTwo, deleteTwo, putThree];

const violations = (operations: readonly Operation[]): string =>
  checkLinearizable(operations, truth, 1).violations.join("\n");

describe("the linearizability checker", () => {
  test("finds nothing wrong with reads, swaps and deletes that saw what was there", () => {
    const reads = [
      done(1, get, { revision: 1 }),
      done(16, get, { revision: 2, seen: "1" }),
      done(26, swap("1", "x"), { revision: 3, seen: "2" }),
      done(36, get, { revision: 4 }),
      done(36, remove, { revision: 4 }),
      // While the last put is under way both states are right.
      done(41, get, { revision: 4 }),
      done(41, get, { revision: 5, seen: "3" }),
    ];
    expect(violations([...writes, ...reads])).toBe("");
  });

  test("takes a write without an answer as done where it shows, and as not done where it does not", () => {
    const unanswered = [done(10, put("1"), undefined), done(50, put("4"), undefined)];
    const verdict = checkLinearizable([...unanswered, swapOneForTwo, deleteTwo, putThree], truth, 1);
    expect(verdict).toEqual({ violations: [], unknownThatHappened: 1 });
    const lostAnswers = [putOne, swapOneForTwo, done(30, remove, undefined), putThree];
    expect(checkLinearizable(lostAnswers, truth, 1)).toEqual({ violations: [], unknownThatHappened: 1 });
  });

  test.each<[string, readonly Operation[], RegExp]>([
    ["a stale read", [...writes, done(46, get, { revision: 4 })], /stands at revision 4, but put a=3/],
    ["a read of the future's value", [...writes, done(16, get, { revision: 2, seen: "3" })], /saw 3/],
    ["a read that finds nothing", [...writes, done(46, get, { revision: 5 })], /saw undefined/],
    [
      "two reads in the wrong order",
      [...writes, done(41, get, { revision: 5, seen: "3" }), done(47, get, { revision: 4 })],
      /stands at revision 4/,
    ],
    [
      "an acknowledged write that is gone",
      [...writes, done(60, put("4"), { revision: 6, took: true })],
      /is not what revision 6 holds/,
    ],
    [
      "a revision that was acknowledged twice",
      [...writes, done(10, put("1"), { revision: 2, took: true })],
      /acknowledged twice/,
    ],
    ["a write that nobody asked for", writes.slice(1), /revision 2 \(a = 1\) is nobody's/],
    [
      "a write that was done before it was asked for",
      [done(30, put("1"), { revision: 2, took: true }), swapOneForTwo, deleteTwo, putThree],
      /put a=1 .* stands at revision 2/,
    ],
    [
      "a swap that succeeded where it had to fail",
      [putOne, done(20, swap("0", "2"), { revision: 3, took: true }), deleteTwo, putThree],
      /succeeded where the key was 1/,
    ],
    [
      "a swap that failed where it had to succeed",
      [...writes, done(26, swap("2", "x"), { revision: 3, seen: "2" })],
      /failed where the key was 2/,
    ],
    [
      "a delete that did not find what was there",
      [...writes, done(26, remove, { revision: 3 })],
      /found nothing/,
    ],
  ])("finds %s", (_what, operations, text) => {
    expect(violations(operations)).toMatch(text);
  });

  test("finds a revision that the store lacks", () => {
    const gap = truth.filter(({ revision }) => revision !== 3);
    const { violations: found } = checkLinearizable([putOne, deleteTwo, putThree], gap, 1);
    expect(found.join("\n")).toMatch(/revision 3 is missing/);
  });
});
