/**
 * The past as watches are served from it: every revision in order, once, wherever it lies at the moment. Were one
 * passed over between those that wait for LevelDB and the blocks, a watch would miss an event for good.
 */
import { expect, test } from "vitest";
import { equalBytes } from "../../../src/base/bytes.js";
import type { LevelRevisionStore } from "../../../src/storage/leveldb/revision-store.js";
import { MemoryOrderedStore } from "../../support/memory-ordered-store.js";
import { bytesOf, fill, openOn } from "./fixture.js";

function walked(
  store: LevelRevisionStore,
  fromMain: number,
  max = Number.POSITIVE_INFINITY,
): readonly string[] {
  const texts: string[] = [];
  store.walk(fromMain, ({ main, sub, tombstone, keyValue }) => {
    if (!equalBytes(keyValue, bytesOf(main, sub, keyValue.length)))
      throw new Error(`${main}.${sub} is damaged`);
    texts.push(`${main}.${sub}${tombstone ? "t" : ""}`);
    return texts.length < max;
  });
  return texts;
}

function names(from: number, to: number): readonly string[] {
  return Array.from({ length: Math.max(to - from + 1, 0) }, (_, at) => `${from + at}.0`);
}

test("goes through the blocks and on through what is not flushed, from any revision", async () => {
  const store = await openOn(new MemoryOrderedStore());
  await fill(store, 2, 500);
  for (let main = 501; main <= 520; main++) store.append(main, 0, false, bytesOf(main, 0, 300));
  store.append(521, 0, false, bytesOf(521, 0, 9));
  store.append(521, 1, true, bytesOf(521, 1, 9));
  for (const from of [0, 2, 3, 217, 218, 219, 500, 501, 520]) {
    expect(walked(store, from)).toEqual([...names(Math.max(from, 2), 520), "521.0", "521.1t"]);
  }
  expect(walked(store, 521)).toEqual(["521.0", "521.1t"]);
  expect(walked(store, 522)).toEqual([]);
  expect(walked(store, 499, 3)).toEqual(["499.0", "500.0", "501.0"]);
});

test("is whole at every step of a flush and of a compaction that takes nothing it asks for", async () => {
  const ordered = new MemoryOrderedStore();
  const store = await openOn(ordered);
  await fill(store, 2, 300);
  const seen: (readonly string[])[] = [];
  const batch = ordered.batch.bind(ordered);
  ordered.batch = async (operations, options) => {
    seen.push(walked(store, 150));
    await batch(operations, options);
    seen.push(walked(store, 150));
    queueMicrotask(() => seen.push(walked(store, 150)));
  };
  for (let main = 301; main <= 310; main++) store.append(main, 0, false, bytesOf(main, 0, 300));
  store.seal({ index: 310, term: 1 });
  await store.flush(310, { sync: true });
  await store.compact(150, ({ main }) => main >= 150 || main % 3 === 0);
  seen.push(walked(store, 150));
  expect(seen.length).toBeGreaterThan(5);
  for (const texts of seen) expect(texts).toEqual(names(150, 310));
  expect(walked(store, 140).slice(0, 4)).toEqual(["141.0", "144.0", "147.0", "150.0"]);
});
