/**
 * Keys that are found by a guess of where they lie. If one of these fails, a get is answered with another key's value, a
 * key that exists is denied, or counts lie; or, for the last ones, every get costs a descent of the tree again.
 */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { limits } from "../../src/base/limits.js";
import { seededRandom } from "../../src/base/prng.js";
import { KeyIndex } from "../../src/mvcc/key-index.js";
import { allKeys } from "../../src/mvcc/key-interval.js";
import { KeyTree } from "../../src/mvcc/key-tree.js";

const everything = Number.POSITIVE_INFINITY;

function pruneAll(index: KeyIndex, compacted: number): void {
  for (let from: string | undefined = ""; from !== undefined; ) from = index.prune(from, compacted, 200);
}

/** A tree of `count` keys, put in a mixed order; numbers with gaps of ten, so that others fit in between. */
function treeOf(count: number): KeyTree {
  const tree = new KeyTree();
  for (let at = 0; at < count; at++) insert(tree, keyOf(((at * 7_919) % count) * 10));
  return tree;
}

function keyOf(number: number): string {
  return `/registry/${String(number).padStart(7, "0")}`;
}

function insert(tree: KeyTree, key: string): void {
  expect(tree.seek(key)).toBe(false);
  tree.insert(key);
  tree.leaf.set(tree.slot, 2, 0, 2, 1);
  tree.changeLive(1, 2);
}

/** What `find` answers is what a descent answers. */
function expectFoundAsSought(tree: KeyTree, key: string): void {
  const isFound = tree.find(key);
  const { leaf, slot } = tree;
  expect(tree.seek(key)).toBe(isFound);
  expect(tree.leaf).toBe(leaf);
  expect(tree.slot).toBe(slot);
}

test("keys are found where they are after splits of leaves, and in between", () => {
  const tree = treeOf(3_000);
  const random = seededRandom(1);
  for (let step = 0; step < 6_000; step++) {
    for (let look = 0; look < 3; look++) expectFoundAsSought(tree, keyOf(random.below(30_000)));
    const key = keyOf(random.below(30_000));
    if (!tree.seek(key)) insert(tree, key);
  }
});

test("keys are found where they are, or not at all, while leaves empty out, are joined and give back their numbers", () => {
  const random = seededRandom(2);
  const index = new KeyIndex({ journalEntriesMax: 10 });
  const versions = new Map<string, number>();
  let main = 1;
  for (let round = 0; round < 30; round++) {
    for (let step = 0; step < 600; step++) {
      // Runs of neighbours, so that whole leaves come and go.
      const key = keyOf(((round * 7) % 10) * 1_000 + random.below(1_000));
      const version = (versions.get(key) ?? 0) + 1;
      index.put(key, ++main, 0);
      versions.set(key, version);
    }
    for (const [at, key] of [...versions.keys()].entries()) {
      expect(index.get(key, everything)?.version).toBe(versions.get(key));
      if (at % 3 === round % 3) continue;
      index.tombstone(key, ++main, 0);
      versions.delete(key);
      expect(index.get(key, everything)).toBeUndefined();
    }
    pruneAll(index, main);
    for (let number = 0; number < 10_000; number += 7) {
      expect(index.get(keyOf(number), everything)?.version).toBe(versions.get(keyOf(number)));
    }
    expect(index.live).toBe(versions.size);
    expect(index.count(allKeys, everything)).toBe(versions.size);
  }
});

test("any course of puts, deletes, gets and compactions is as in a map of keys", () => {
  const step = fc.record({
    kind: fc.constantFrom("put", "put", "delete", "get", "compact"),
    number: fc.nat({ max: 300 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 1_000 }), (steps) => {
      const index = new KeyIndex({ journalEntriesMax: 10 });
      const versions = new Map<string, number>();
      let main = 1;
      for (const { kind, number } of steps) {
        const key = keyOf(number);
        const isThere = versions.has(key);
        if (kind === "put") {
          expect(index.put(key, ++main, 0) !== undefined).toBe(isThere);
          versions.set(key, (versions.get(key) ?? 0) + 1);
        } else if (kind === "delete" && isThere) {
          index.tombstone(key, ++main, 0);
          versions.delete(key);
        } else if (kind === "compact") pruneAll(index, main + 1);
        expect(index.get(key, main)?.version).toBe(versions.get(key));
        expect(index.live).toBe(versions.size);
      }
      expect(index.count(allKeys, everything)).toBe(versions.size);
    }),
    { numRuns: 60 },
  );
});

test("a key that was deleted, asked for and made again is counted again, at the top of the tree and below", () => {
  const index = new KeyIndex({ journalEntriesMax: 10 });
  let main = 1;
  for (let number = 0; number < 9_000; number++) index.put(keyOf(number), ++main, 0);
  for (let number = 0; number < 9_000; number += 50) index.tombstone(keyOf(number), ++main, 0);
  for (let number = 0; number < 9_000; number += 50) {
    expect(index.newestUpTo(keyOf(number), everything)?.version).toBe(0);
    expect(index.newestUpTo(keyOf(number + 1), everything)?.version).toBe(1);
    expect(index.put(keyOf(number), ++main, 0)).toBeUndefined();
  }
  expect(index.live).toBe(9_000);
  for (let from = 0; from < 9_000; from += 90) {
    expect(index.count({ start: keyOf(from), end: keyOf(from + 90) }, everything)).toBe(90);
  }
});

describe("two keys of one hash", () => {
  // Known for FNV-1a with 32 bits.
  test.each([
    ["costarring", "liquid"],
    ["declinate", "macallums"],
    ["altarage", "zinke"],
  ])("%s and %s are told apart", (one, other) => {
    const index = new KeyIndex({ journalEntriesMax: 10 });
    index.put(one, 2, 0);
    expect(index.get(one, 9)?.main).toBe(2);
    expect(index.get(other, 9)).toBeUndefined();
    index.put(other, 3, 0);
    for (let round = 0; round < 3; round++) {
      expect(index.get(one, 9)?.main).toBe(2);
      expect(index.get(other, 9)?.main).toBe(3);
    }
  });
});

/** How many of the keys take a descent. */
function descents(tree: KeyTree, keys: readonly string[]): number {
  const seek = vi.spyOn(tree, "seek");
  for (const key of keys) expect(tree.find(key)).toBe(true);
  const count = seek.mock.calls.length;
  seek.mockRestore();
  return count;
}

test("keys in use are found without a descent, also after others were inserted around them", () => {
  const tree = treeOf(10_000);
  const keys = Array.from({ length: 10_000 }, (_, at) => keyOf(at * 10));
  descents(tree, keys);
  expect(descents(tree, keys)).toBeLessThan(1_000);
  for (let at = 0; at < 2_000; at++) insert(tree, keyOf(at * 50 + 5));
  const moved = descents(tree, keys);
  expect(moved).toBeGreaterThan(0);
  expect(descents(tree, keys)).toBeLessThan(1_000);
});

test("a few keys in use among many stay known while others are asked for once in a while", () => {
  const tree = treeOf(30_000);
  const hot = Array.from({ length: 500 }, (_, at) => keyOf(at * 600));
  descents(tree, hot);
  for (let cold = 0; cold < 2_000; cold++) tree.find(keyOf(cold * 150));
  expect(descents(tree, hot)).toBeLessThan(50);
});

test("leaves that come and go use the same numbers again: the list of them does not grow for ever", () => {
  const tree = new KeyTree();
  for (let round = 0; round < 40; round++) {
    for (let number = 1; number <= 2_000; number++) {
      insert(tree, keyOf(number));
      expect(tree.leaf.number).toBeLessThan(50);
    }
    // Most keys end first, then half of the rest, which has small leaves joined, then all, which empties them.
    for (const kept of [8, 16, Number.POSITIVE_INFINITY]) {
      for (let number = 1; number <= 2_000; number++) {
        if (number % kept === 0 || !tree.seek(keyOf(number)) || tree.leaf.newest(tree.slot).version === 0)
          continue;
        tree.leaf.set(tree.slot, 2, 0, 0, 0);
        tree.changeLive(-1, 2);
      }
      for (let from: string | undefined = ""; from !== undefined; ) from = tree.pruneLeaf(from, 3).next;
    }
    expect(tree.leaf.size).toBe(0);
  }
});

test("keys too long for a hash are found all the same", () => {
  const index = new KeyIndex({ journalEntriesMax: 10 });
  const long = (number: number): string => `${"x".repeat(500)}${number}`;
  for (let number = 0; number < 300; number++) index.put(long(number), number + 2, 0);
  for (let number = 0; number < 300; number++)
    expect(index.get(long(number), everything)?.main).toBe(number + 2);
  expect(index.get(long(300), everything)).toBeUndefined();
});

test("the memory for hints has a bound that tells whole sets apart", () => {
  expect(Math.log2(limits.keyHintsMax) % 1).toBe(0);
});
