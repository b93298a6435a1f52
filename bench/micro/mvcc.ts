/** How fast the pure store is, on its own: what the rest of a request costs comes on top. */
import type { Revision } from "../../src/base/brand.js";
import { bytesToLatin1, emptyBytes, latin1ToBytes } from "../../src/base/bytes.js";
import { encodeKeyValue, encodeRangeResponse } from "../../src/mvcc/codec.js";
import type { RevisionLog, RevisionRecord } from "../../src/mvcc/contract.js";
import { KeyIndex } from "../../src/mvcc/key-index.js";
import { locateEach, type ReadBatch, type ReadBudget } from "../../src/mvcc/read-batch.js";
import type { PutRequest } from "../../src/mvcc/requests.js";
import { MvccStore } from "../../src/mvcc/store.js";
import { range, sliceOf } from "../../test/mvcc/fakes.js";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** Revisions in a map; subs do not occur here. */
class BenchLog implements RevisionLog {
  readonly loadedBytes = 0;
  readonly pairs: Uint8Array[] = [];

  read(main: Revision): Uint8Array {
    return this.pairs[main]!;
  }

  locate(batch: ReadBatch, budget: ReadBudget): void {
    locateEach(batch, budget, { log: this, bytesOf: (at) => this.read(batch.mains[at]!) });
  }

  append(main: Revision, _sub: number, _tombstone: boolean, keyValue: Uint8Array): void {
    this.pairs[main] = keyValue;
  }
}

const noLeases = { exists: () => false, attach: () => {}, detach: () => {} };
const header = { clusterId: 0xcafen, memberId: 0xbeefn, raftTerm: 7 };

function newStore(log: RevisionLog): MvccStore {
  return new MvccStore({}, { log, leases: noLeases, changes: { committed: () => {} } });
}

/** Keys of 20 bytes; with `shuffled` in an order that has nothing to do with theirs. */
function keyOf(number: number, shuffled: boolean): string {
  const mixed = shuffled ? Math.imul(number, 0x9e3779b1) >>> 0 : number;
  return `/bench/key/${String(mixed).padStart(9, "0").slice(-9)}`;
}

function putOf(key: string, value: Uint8Array): PutRequest {
  const common = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { key: latin1ToBytes(key), value, ...common };
}

function microsEach(count: number, step: (number: number) => void): number {
  const start = performance.now();
  for (let number = 0; number < count; number++) step(number);
  return ((performance.now() - start) * 1000) / count;
}

function filled(keys: number, valueBytes: number): MvccStore {
  const store = newStore(new BenchLog());
  const value = new Uint8Array(valueBytes);
  for (let number = 0; number < keys; number++) store.put(putOf(keyOf(number, true), value));
  return store;
}

function everyday(): Figure[] {
  const store = newStore(new BenchLog());
  const value = new Uint8Array(256);
  const fresh = microsEach(200_000, (number) => store.put(putOf(keyOf(number, true), value)));
  const again = microsEach(200_000, (number) => store.put(putOf(keyOf(number, true), value)));
  const get = microsEach(200_000, (number) => store.range(range(keyOf(number, true))));
  const pageRequest = range("/bench/", "/bench0", { limit: 1000 });
  const page = microsEach(500, () => store.range(pageRequest));
  const encoded = microsEach(500, () => {
    const result = store.range(pageRequest);
    encodeRangeResponse({ ...header, revision: result.revision }, result);
  });
  const last = microsEach(20_000, () => store.range(range("\0", "\0", { limit: 1, sortOrder: 2 })));
  const count = microsEach(20_000, () => store.range(range("/bench/", "/bench0", { countOnly: true })));
  store.compact(store.revision);
  const start = performance.now();
  let slices = 1;
  let slowest = 0;
  for (let from = start; store.pruneSlice(store.revision); slices++) {
    const now = performance.now();
    slowest = Math.max(slowest, now - from);
    from = now;
  }
  const prune = performance.now() - start;
  return [
    { name: "put, new key, 200k keys", value: fresh, unit: "µs" },
    { name: "put, existing key, 200k keys", value: again, unit: "µs" },
    { name: "get, 200k keys", value: get, unit: "µs" },
    { name: "page of 1,000 out of 200k", value: page, unit: "µs" },
    { name: "page of 1,000 out of 200k, encoded", value: encoded, unit: "µs" },
    { name: "last key of 200k", value: last, unit: "µs" },
    { name: "count of 200k", value: count, unit: "µs" },
    { name: "prune 200k superseded revisions", value: prune, unit: "ms" },
    { name: `slowest of ${slices} prune slices`, value: slowest, unit: "ms" },
  ];
}

/** A listing of a million keys, 500 to a page, at the revision of its first page, while keys come and go. */
function oldPages(): Figure[] {
  const store = filled(1_000_000, 16);
  const revision = store.revision;
  const request = range("/bench/key/5", "/bench0", { limit: 500, revision });
  const still = microsEach(2_000, () => store.range(request));
  const value = new Uint8Array(16);
  for (let number = 0; number < 5_000; number++) store.put(putOf(`${keyOf(number, true)}/new`, value));
  const journal = microsEach(500, () => store.range(request));
  for (let number = 5_000; number < 100_000; number++) store.put(putOf(`${keyOf(number, true)}/new`, value));
  const walk = microsEach(20, () => store.range(request));
  return [
    { name: "page of 500 out of 1M, older revision, no key made since", value: still, unit: "µs" },
    { name: "page of 500 out of 1M, older revision, 5,000 keys made since", value: journal, unit: "µs" },
    { name: "page of 500 out of 1M, older revision, 100,000 keys made since", value: walk, unit: "µs" },
  ];
}

function memory(): Figure {
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const index = new KeyIndex({ journalEntriesMax: 2 });
  for (let number = 0; number < 1_000_000; number++) {
    // The key must own its characters, as one that was read from the wire does.
    const key = bytesToLatin1(latin1ToBytes(keyOf(number, true)));
    index.restore(key, number + 2, 0, number + 2, 1);
  }
  const name = "index of 1M keys of 20 bytes, made in random order";
  return { name, value: (used() - before) / index.live, unit: "bytes a key" };
}

/** The records lie in blocks of 64 KiB, as the revision store hands them over. */
function storedRecords(keys: number, shuffled: boolean): RevisionRecord[] {
  const records: RevisionRecord[] = [];
  let block = new Uint8Array(0);
  let used = 0;
  for (let main = 2; main < keys + 2; main++) {
    const pair = encodeKeyValue({
      key: latin1ToBytes(keyOf(main - 2, shuffled)),
      createRevision: main,
      modRevision: main,
      version: 1,
      value: emptyBytes,
      lease: 0n,
    });
    if (used + pair.length > block.length) {
      block = Buffer.allocUnsafeSlow(64 * 1024);
      used = 0;
    }
    block.set(pair, used);
    records.push({ main, sub: 0, tombstone: false, keyValue: block.subarray(used, used + pair.length) });
    used += pair.length;
  }
  return records;
}

function restore(shuffled: boolean): Figure[] {
  const keys = 1_000_000;
  const records = storedRecords(keys, shuffled);
  const store = newStore(new BenchLog());
  const start = performance.now();
  let slowest = 0;
  for (let at = 0; at < records.length; at += 1000) {
    const slice = sliceOf(records.slice(at, at + 1000));
    const from = performance.now();
    store.restoreSlice(slice);
    slowest = Math.max(slowest, performance.now() - from);
  }
  store.finishRestore({ revision: keys + 1, compactedRevision: -1 });
  const order = shuffled ? "random" : "key";
  return [
    { name: `restore of 1M keys written in ${order} order`, value: performance.now() - start, unit: "ms" },
    { name: "slowest slice of 1,000 of that", value: slowest, unit: "ms" },
  ];
}

/** All figures; memory wants `--expose-gc`. */
export function run(): readonly Figure[] {
  return [memory(), ...restore(true), ...restore(false), ...everyday(), ...oldPages()];
}
