/** The order in which a restart fills the key index. If it is wrong, keys vanish from listings after a restart. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { sortKeys } from "../../src/mvcc/sorted-positions.js";

/** Few different characters, the lowest and the highest among them, so that keys agree far and end anywhere. */
const key = fc
  .array(fc.constantFrom("\0", "a", "b", "\xff"), { maxLength: 20 })
  .map((parts) => parts.join(""));

function expected(keys: readonly string[]): number[] {
  const order = (left: number, right: number): number => {
    if (keys[left] === keys[right]) return left - right;
    return keys[left]! < keys[right]! ? -1 : 1;
  };
  return keys.map((_, position) => position).sort(order);
}

test("any keys come in byte order, and the revisions of one key in theirs", () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 60 }), (keys) => {
      const { positions, repeats } = sortKeys(keys);
      expect([...positions]).toEqual(expected(keys));
      const isRepeat = [...positions].map(
        (position, at) => at > 0 && keys[position] === keys[positions[at - 1]!],
      );
      expect([...repeats].map((repeat) => repeat === 1)).toEqual(isRepeat);
    }),
    { numRuns: 1_000 },
  );
});

test("thousands of numbered keys with a long beginning in common", () => {
  const keys = Array.from({ length: 20_000 }, (_, at) => `/registry/pods/default/${(at * 7_919) % 20_011}`);
  expect([...sortKeys(keys).positions]).toEqual(expected(keys));
});

test("keys that are the beginnings of one another, and agree in a hundred thousand characters", () => {
  const long = "a".repeat(100_000);
  const keys = [`${long}b`, long, `${long}a`, "", "a", long, `${long}\0`];
  expect([...sortKeys(keys).positions]).toEqual([3, 4, 1, 5, 6, 2, 0]);
  const nested = Array.from({ length: 3_000 }, (_, at) => "n".repeat(3_000 - at));
  expect([...sortKeys(nested).positions]).toEqual(nested.map((_, at) => 2_999 - at));
});
