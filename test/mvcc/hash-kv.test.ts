/**
 * The hash that members compare. The numbers are what etcd 3.7.1 answered to the same writes; if they change,
 * a mixed cluster raises the alarm for corruption.
 */
import { expect, test } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import type { RevisionRecord } from "../../src/mvcc/contract.js";
import { del, freshStore, put, txn } from "./fakes.js";

function written(): ReturnType<typeof freshStore> {
  const bench = freshStore();
  const { store } = bench;
  store.put(put("a", "1"));
  store.put(put("b", "2"));
  store.deleteRange(del("a"));
  store.put(put("b", "3"));
  store.txn(
    txn({
      success: [
        { kind: "put", request: put("c", "4") },
        { kind: "deleteRange", request: del("b") },
      ],
    }),
  );
  store.put(put("d", "5"));
  return bench;
}

function hashAt({ store, log }: ReturnType<typeof freshStore>, revision: number): number {
  const hash = store.openHash(revision);
  for (const record of log.records) hash.feed([record]);
  return hash.result().hash;
}

test("equals etcd's at every revision, before and after compactions, before and after they are carried out", () => {
  const bench = written();
  const { store, log } = bench;
  const hashes = (...revisions: number[]): number[] => revisions.map((revision) => hashAt(bench, revision));
  expect(hashes(0, 2, 4, 6)).toEqual([2444846696, 2587454935, 1562576432, 4209864495]);
  const compactedTo = (revision: number, at: readonly number[], expected: readonly number[]): void => {
    store.compact(revision);
    expect(hashes(...at)).toEqual(expected);
    while (store.pruneSlice(store.compactedRevision));
    expect(hashes(...at)).toEqual(expected);
    log.compact((record) => store.isAlive(record, store.compactedRevision));
    expect(hashes(...at)).toEqual(expected);
  };
  compactedTo(4, [0, 5, 6], [4242999580, 533074032, 2151280787]);
  store.deleteRange(del("c"));
  store.deleteRange(del("d"));
  expect(hashes(0)).toEqual([3260674873]);
  compactedTo(8, [9], [3638899623]);
  compactedTo(9, [0], [1084519789]);
});

test("says what it is of; outside the readable revisions it is an error", () => {
  const { store } = written();
  expect(store.openHash(0).result()).toMatchObject({ compactRevision: -1, hashRevision: 7 });
  store.compact(4);
  expect(store.openHash(5).result()).toMatchObject({ compactRevision: 4, hashRevision: 5 });
  expect(() => store.openHash(3)).toThrow("Compacted");
  expect(() => store.openHash(8)).toThrow("FutureRev");
});

test("a compaction in the middle ends it, because what is still to come may be gone", () => {
  const { store, log } = written();
  const hash = store.openHash(0);
  hash.feed(log.records.slice(0, 2));
  store.compact(4);
  const feed = (records: readonly RevisionRecord[]): unknown => {
    try {
      return hash.feed(records);
    } catch (error) {
      return error;
    }
  };
  expect(isStoreError(feed(log.records.slice(2)), "Compacted")).toBe(true);
});
