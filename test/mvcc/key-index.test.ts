/**
 * The key index at sizes where its tree has several levels, beside sorted lists. If one of these fails, keys
 * vanish from listings, or counts lie.
 */
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/base/prng.js";
import { KeyIndex } from "../../src/mvcc/key-index.js";
import { allKeys, type KeyInterval } from "../../src/mvcc/key-interval.js";

const everything = Number.POSITIVE_INFINITY;

function keysOf(index: KeyIndex, interval: KeyInterval, atMain: number): string[] {
  const keys: string[] = [];
  index.visit(interval, atMain, everything, (key) => {
    keys.push(key);
    return true;
  });
  return keys;
}

/** Random puts and deletes, one to a revision, with what lived after each of some revisions. */
function randomHistory(seed: number, keyCount: number, steps: number, journalEntriesMax: number) {
  const random = seededRandom(seed);
  const index = new KeyIndex({ journalEntriesMax });
  const live = new Set<string>();
  const snapshots = new Map<number, readonly string[]>();
  for (let main = 2; main < steps + 2; main++) {
    const key = `key/${random.below(keyCount)}`;
    if (live.has(key) && random.below(3) > 0) {
      index.tombstone(key, main, 0);
      live.delete(key);
    } else {
      index.put(key, main, 0);
      live.add(key);
    }
    if (main % Math.ceil(steps / 8) === 0) snapshots.set(main, [...live].sort());
  }
  snapshots.set(steps + 1, [...live].sort());
  return { index, snapshots, random };
}

describe.each([
  { name: "journal reaches back", journalEntriesMax: 1_000_000 },
  { name: "journal forgot", journalEntriesMax: 100 },
])("$name", ({ journalEntriesMax }) => {
  test("every past revision lists and counts what lived then, in any interval", () => {
    const { index, snapshots, random } = randomHistory(1, 20_000, 60_000, journalEntriesMax);
    for (const [main, keys] of snapshots) {
      expect(keysOf(index, allKeys, main)).toEqual(keys);
      for (let round = 0; round < 50; round++) {
        const start = `key/${random.below(20_000)}`;
        const end = random.below(4) === 0 ? undefined : `key/${random.below(20_000)}`;
        const expected = keys.filter((key) => key >= start && (end === undefined || key < end)).length;
        expect(index.count({ start, end }, main)).toBe(expected);
      }
    }
  });

  test("pruning keeps what can be read and drops the rest, whatever the slices", () => {
    const { index, snapshots } = randomHistory(2, 3_000, 40_000, journalEntriesMax);
    const revisions = [...snapshots.keys()];
    for (const [at, compacted] of revisions.entries()) {
      let slices = 0;
      let from: string | undefined = "";
      while (from !== undefined) {
        from = index.prune(from, compacted, 50 + at * 20);
        slices++;
      }
      expect(slices).toBeGreaterThan(1);
      for (const main of revisions.slice(at)) {
        expect(keysOf(index, allKeys, main)).toEqual(snapshots.get(main));
        expect(index.count(allKeys, main)).toBe(snapshots.get(main)!.length);
      }
      expect(keysOf(index, allKeys, compacted - 1).length).toBeLessThanOrEqual(
        snapshots.get(compacted)!.length,
      );
    }
  });
});

test.each([
  { order: "rising", factor: 1 },
  { order: "falling", factor: 29_999 },
  { order: "mixed", factor: 7_919 },
])("after a load in $order order every older revision still counts what was loaded by then", ({ factor }) => {
  const index = new KeyIndex({ journalEntriesMax: 2 });
  const keyAt = (number: number): string => String((number * factor) % 30_000).padStart(5, "0");
  for (let number = 0; number < 30_000; number++) index.put(keyAt(number), number + 2, 0);
  for (const main of [1, 2, 500, 3_000, 10_000, 20_000, 29_000, 30_001]) {
    expect(index.count(allKeys, main)).toBe(main - 1);
    const loaded = Array.from({ length: main - 1 }, (_, number) => keyAt(number));
    const expected = loaded.filter((key) => key >= "10000" && key < "20500").length;
    expect(index.count({ start: "10000", end: "20500" }, main)).toBe(expected);
  }
});

test("a store of which everything was deleted and compacted is empty and takes keys again", () => {
  const index = new KeyIndex({ journalEntriesMax: 10 });
  const keys = Array.from({ length: 10_000 }, (_, number) => `k${number}`);
  for (const [at, key] of keys.entries()) index.put(key, at + 2, 0);
  for (const [at, key] of keys.entries()) index.tombstone(key, at + 20_000, 0);
  expect(index.live).toBe(0);
  expect(index.prune("", 40_000, everything)).toBeUndefined();
  expect(keysOf(index, allKeys, everything)).toEqual([]);
  for (const [at, key] of keys.entries()) {
    expect(index.newestUpTo(key, everything)).toBeUndefined();
    index.put(key, at + 50_000, 0);
  }
  expect(keysOf(index, allKeys, everything)).toEqual([...keys].sort());
  expect(index.count({ start: "k1", end: "k2" }, everything)).toBe(1111);
});

test("keys that come and go between prunings leave the order and the counts right", () => {
  const random = seededRandom(3);
  const index = new KeyIndex({ journalEntriesMax: 10 });
  const live = new Set<string>();
  let main = 1;
  for (let round = 0; round < 40; round++) {
    for (let step = 0; step < 1_000; step++) {
      main++;
      // Runs of neighbours: whole leaves empty out, and fill again.
      const key = String(((round * 7_919) % 30) * 1_000 + random.below(1_000)).padStart(6, "0");
      if (live.delete(key)) index.tombstone(key, main, 0);
      else {
        live.add(key);
        index.put(key, main, 0);
      }
    }
    for (const key of [...live].filter((_, at) => at % 3 !== round % 3)) {
      index.tombstone(key, ++main, 0);
      live.delete(key);
    }
    for (let from: string | undefined = ""; from !== undefined; ) from = index.prune(from, main + 1, 500);
    expect(keysOf(index, allKeys, everything)).toEqual([...live].sort());
    expect(index.count(allKeys, everything)).toBe(live.size);
    expect(index.live).toBe(live.size);
    const sorted = [...live].sort();
    for (const rank of [0, sorted.length >>> 1, sorted.length - 1]) {
      if (sorted[rank] !== undefined) expect(index.keyAtRank(rank)).toBe(sorted[rank]);
    }
  }
});

test("a visit stops where it is told and says where to go on", () => {
  const index = new KeyIndex({ journalEntriesMax: 10 });
  for (let number = 0; number < 1_000; number++) index.put(String(number).padStart(4, "0"), number + 2, 0);
  const seen: string[] = [];
  let next: string | undefined = "";
  for (let slices = 0; next !== undefined; slices++) {
    expect(slices).toBeLessThan(200);
    const inSlice: string[] = [];
    next = index.visit({ start: next, end: "0900" }, everything, 7, (key) => {
      inSlice.push(key);
      return inSlice.length < 5 + (slices % 5);
    });
    expect(inSlice.length).toBeLessThanOrEqual(7);
    seen.push(...inSlice);
  }
  expect(seen).toHaveLength(900);
  expect(new Set(seen).size).toBe(900);
});

test("generations: versions restart after a delete, and compaction drops them as the worked example says", () => {
  const index = new KeyIndex({ journalEntriesMax: 10 });
  expect(index.put("k", 4, 0)).toBeUndefined();
  expect(index.put("k", 6, 1)).toEqual({ main: 4, sub: 0, create: 4, version: 1 });
  expect(index.tombstone("k", 7, 0)).toEqual({ main: 6, sub: 1, create: 4, version: 2 });
  expect(index.put("k", 9, 0)).toBeUndefined();
  expect(index.get("k", 3)).toBeUndefined();
  expect(index.get("k", 5)).toEqual({ main: 4, sub: 0, create: 4, version: 1 });
  expect(index.get("k", 6)).toEqual({ main: 6, sub: 1, create: 4, version: 2 });
  expect(index.get("k", 8)).toBeUndefined();
  index.prune("", 6, everything);
  expect(index.newestUpTo("k", 5)).toBeUndefined();
  expect(index.get("k", 6)).toEqual({ main: 6, sub: 1, create: 4, version: 2 });
  index.prune("", 7, everything);
  expect(index.newestUpTo("k", 6)).toBeUndefined();
  expect(index.newestUpTo("k", 7)).toEqual({ main: 7, sub: 0, create: 0, version: 0 });
  index.prune("", 8, everything);
  expect(index.newestUpTo("k", 8)).toBeUndefined();
  expect(index.get("k", 9)).toEqual({ main: 9, sub: 0, create: 9, version: 1 });
});
