/** A restart at sizes where the index takes its revisions in several runs. If one of these fails, a restart loses keys. */
import { expect, test, vi } from "vitest";
import { seededRandom } from "../../src/base/prng.js";
import { storedKey } from "../../src/mvcc/key-value.js";
import { type Bench, del, freshStore, put, range, sliceOf } from "./fakes.js";

vi.mock("../../src/base/limits.js", async (original) => {
  const { limits } = await original<typeof import("../../src/base/limits.js")>();
  return { limits: { ...limits, restoreRunRevisions: 700 } };
});

/** Keys that are written in no order, some of them often, some of them deleted. */
function randomStore(seed: number, keyCount: number, steps: number): Bench {
  const random = seededRandom(seed);
  const bench = freshStore();
  for (let step = 0; step < steps; step++) {
    const key = `key/${random.below(keyCount)}`;
    if (random.below(4) === 0) bench.store.deleteRange(del(key));
    else bench.store.put(put(key, `value ${step}`));
  }
  return bench;
}

function restarted({ store, log, leases }: Bench): Bench {
  const next = freshStore({}, { log, leases });
  for (let at = 0; at < log.records.length; at += 33)
    next.store.restoreSlice(sliceOf(log.records.slice(at, at + 33)));
  const { revision, compactedRevision } = store;
  next.store.finishRestore({ revision, compactedRevision });
  return next;
}

function readAll({ store }: Bench, revision: number) {
  const { kvs, count } = store.range(range("\0", "\0", { revision }));
  return { kvs, count, alone: store.range(range("key/1", "key/5", { revision, countOnly: true })).count };
}

test.each([
  { keyCount: 5_000, steps: 9_000 },
  { keyCount: 40, steps: 5_000 },
  { keyCount: 300, steps: 700 },
])("$steps writes to $keyCount keys read at every revision after a restart as before", (size) => {
  const before = randomStore(1, size.keyCount, size.steps);
  const after = restarted(before);
  const { revision } = before.store;
  for (let at = 1; at <= revision; at += Math.ceil(revision / 12)) {
    expect(readAll(after, at)).toEqual(readAll(before, at));
  }
  expect(after.store.keyCount).toBe(before.store.keyCount);
});

test("keys that are written and deleted after a restart are there and gone", () => {
  const after = restarted(randomStore(2, 2_000, 4_000));
  const { store } = after;
  const live = new Set(store.range(range("\0", "\0")).kvs.map(storedKey));
  for (let number = 0; number < 3_000; number++) {
    const key = `key/${number}`;
    if (number % 5 === 0) {
      store.deleteRange(del(key));
      live.delete(key);
    } else if (number % 3 === 0) {
      store.put(put(key, "again"));
      live.add(key);
    }
  }
  expect(store.range(range("\0", "\0")).kvs.map(storedKey)).toEqual([...live].sort());
  expect(readAll(after, 0).count).toBe(live.size);
});
