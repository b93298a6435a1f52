import { afterEach, describe, expect, it } from "vitest";
import { AssertionError } from "../../../src/base/assert.js";
import { DamageError, isStoreError } from "../../../src/base/errors.js";
import { failpoints } from "../../../src/base/failpoint.js";
import { limits } from "../../../src/base/limits.js";
import { recordKinds } from "../../../src/storage/leveldb/keys.js";
import { MemoryOrderedStore } from "../../support/memory-ordered-store.js";
import { bytesOf, fill, openOn, scanAll } from "./fixture.js";

const blockCount = (ordered: MemoryOrderedStore) => ordered.count(recordKinds.block);

describe("a flush", () => {
  it("writes the units that the log holds and no other", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    store.append(2, 0, false, bytesOf(2, 0, 10));
    store.setState("mvcc/revision", Uint8Array.of(2));
    store.seal({ index: 5, term: 1 });
    store.append(3, 0, false, bytesOf(3, 0, 10));
    store.setState("mvcc/revision", Uint8Array.of(3));
    store.seal({ index: 7, term: 2 });
    store.append(4, 0, false, bytesOf(4, 0, 10));
    await store.flush(6, { sync: true });
    expect(store.durableApplied).toEqual({ index: 5, term: 1 });
    expect(store.pendingBytes).toBeGreaterThan(20);

    const after = await openOn(ordered);
    expect(after.durableApplied).toEqual({ index: 5, term: 1 });
    expect((await scanAll(after)).map(({ main }) => main)).toEqual([2]);
    expect(after.getState("mvcc/revision")).toEqual(Buffer.from([2]));
    expect(store.getState("mvcc/revision")).toEqual(Buffer.from([3]));
  });

  it("leaves nothing pending once everything is durable", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 50);
    expect(store.pendingBytes).toBe(0);
    expect(store.sizeInUseBytes).toBeGreaterThan(49 * 300);
  });

  it("keeps a record that the caller gave, though the caller uses its memory again", async () => {
    const store = await openOn(new MemoryOrderedStore());
    const reused = bytesOf(2, 0, 40);
    store.setState("alarm/1", reused);
    reused.fill(0);
    expect(Buffer.from(store.getState("alarm/1")!)).toEqual(Buffer.from(bytesOf(2, 0, 40)));
  });

  it("of one record each, a thousand times, leaves few blocks and writes a record only a few times", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    let written = 0;
    const batch = ordered.batch.bind(ordered);
    ordered.batch = (operations, options) => {
      for (const { value } of operations) written += value?.length ?? 0;
      return batch(operations, options);
    };
    for (let main = 2; main <= 1_001; main++) await fill(store, main, main);
    // 300,000 bytes are 5 to 10 blocks of 32 to 64 KiB, and at most log2(32 KiB / 336 B) = 7 small ones.
    expect(blockCount(ordered)).toBeLessThanOrEqual(17);
    expect(written).toBeLessThan(8 * 1_000 * 336);
  });

  it("of a record above the size of a block makes a block of its own", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered, 0);
    await fill(store, 2, 4, limits.blockBytesMax + 1);
    expect(blockCount(ordered)).toBe(3);
    expect(store.read(3, 0).length).toBe(limits.blockBytesMax + 1);
  });

  it("of much more than a slice goes in several batches of whole units, in order", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    let batches = 0;
    ordered.beforeBatch = () => {
      batches++;
    };
    await fill(store, 2, 1_001, 10_000);
    expect(batches).toBeGreaterThan(3);
    expect((await scanAll(store)).length).toBe(1_000);
  });

  it("passes etcd's failpoints in etcd's order", async () => {
    const passed: string[] = [];
    const names = [
      "beforeStartDBTxn",
      "beforeWritebackBuf",
      "afterWritebackBuf",
      "afterStartDBTxn",
      "commitBeforePreCommitHook",
      "commitAfterPreCommitHook",
      "beforeCommit",
      "afterCommit",
    ] as const;
    const store = await openOn(new MemoryOrderedStore());
    for (const name of names) {
      failpoints[name] = () => {
        passed.push(name);
        return undefined;
      };
    }
    await fill(store, 2, 2);
    expect(passed).toEqual(names);
  });

  it("goes on with everything when a defragmentation fails at defragdbFail", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 100);
    failpoints.defragdbFail = () => "no space left on device";
    await expect(store.defragment()).rejects.toThrow("no space left on device");
    failpoints.defragdbFail = undefined;
    await fill(store, 101, 200);
    await store.defragment();
    expect((await scanAll(store)).length).toBe(199);
  });
});

afterEach(() => {
  for (const name of Object.keys(failpoints)) delete failpoints[name as keyof typeof failpoints];
});

describe("a disk that fails", () => {
  it("makes the store unusable: no later write may follow one that is in doubt", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    await fill(store, 2, 10);
    ordered.beforeBatch = () => {
      throw new Error("no space left on device");
    };
    await expect(fill(store, 11, 12)).rejects.toThrow("no space left");
    ordered.beforeBatch = () => {};
    expect(() => store.seal({ index: 13, term: 1 })).toThrow("no space left");
    await expect(store.flush(13, { sync: true })).rejects.toThrow("no space left");
    await expect(store.compact(5, () => true)).rejects.toThrow("no space left");
    await expect(store.openImage()).rejects.toThrow("no space left");
    expect((await scanAll(await openOn(ordered))).length).toBe(9);
  });
});

describe("a caller's mistake is an assertion", () => {
  it("for revisions out of order, an applied index that goes back, a revision that is not there", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 5);
    expect(() => store.append(5, 0, false, new Uint8Array(1))).toThrow(AssertionError);
    expect(() => store.seal({ index: 4, term: 1 })).toThrow(AssertionError);
    expect(() => store.read(5, 1)).toThrow(AssertionError);
    expect(() => store.read(1, 0)).toThrow(AssertionError);
    const flush = store.flush(5, { sync: true });
    await expect(store.flush(5, { sync: true })).rejects.toThrow(AssertionError);
    await flush;
  });

  it("for an older revision than the newest stored, after a reopen", async () => {
    const ordered = new MemoryOrderedStore();
    await fill(await openOn(ordered), 2, 5);
    const store = await openOn(ordered);
    expect(() => store.append(5, 0, false, new Uint8Array(1))).toThrow(AssertionError);
    store.append(5, 1, false, new Uint8Array(1));
  });
});

describe("a scan", () => {
  it("gives the revisions between its bounds, both included", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 1_000);
    const mains = async (from: number, to: number) =>
      (await scanAll(store, from, to)).map(({ main }) => main);
    const counted = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
    expect(await mains(400, 700)).toEqual(counted(400, 700));
    expect(await mains(0, 2)).toEqual([2]);
    expect(await mains(1_000, 5_000)).toEqual([1_000]);
    expect(await mains(1_001, 5_000)).toEqual([]);
    expect(await mains(0, 1)).toEqual([]);
  });

  it("stays at the moment of its begin while blocks are merged and compacted under it", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 600, 10_000);
    const seen: number[] = [];
    for await (const slice of store.scan({ fromMain: 0, toMain: 2 ** 50 })) {
      if (seen.length === 0) {
        await store.compact(600, ({ main }) => main === 600);
        await fill(store, 601, 700, 10_000);
      }
      seen.push(...slice.map(({ main }) => main));
    }
    expect(seen).toEqual(Array.from({ length: 599 }, (_, at) => at + 2));
  });

  it("finds a block missing that vanished from the disk", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    await fill(store, 2, 2_000);
    let nth = 0;
    ordered.damage(recordKinds.block, (value) => (nth++ === 3 ? undefined : value));
    await expect(scanAll(store)).rejects.toThrow(DamageError);
    await expect(store.compact(2_000, () => true)).rejects.toThrow(DamageError);
  });
});

describe("a compaction", () => {
  it("drops what is dead, merges what is left, and leaves blocks above it alone", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    await fill(store, 2, 4_001, 1_000);
    const before = blockCount(ordered);
    await store.compact(2_001, ({ main }) => main % 100 === 0);
    expect((await scanAll(store, 0, 2_001)).map(({ main }) => main)).toEqual(
      Array.from({ length: 20 }, (_, at) => (at + 1) * 100),
    );
    expect((await scanAll(store, 2_002)).length).toBe(2_000);
    // 20 records of 1,000 bytes fit in one block, next to the first one that is partly above the compaction.
    expect(blockCount(ordered)).toBeLessThanOrEqual(before / 2 + 2);
    expect((await scanAll(await openOn(ordered))).length).toBe(2_020);
  });

  it("of everything leaves an empty store that still knows what was applied", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    await fill(store, 2, 500);
    await store.compact(500, () => false);
    expect(blockCount(ordered)).toBe(0);
    expect(store.sizeInUseBytes).toBe(0);
    expect((await openOn(ordered)).durableApplied.index).toBe(500);
    await fill(store, 501, 502);
    expect((await scanAll(store)).map(({ main }) => main)).toEqual([501, 502]);
  });

  it("writes nothing where nothing died", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    await fill(store, 2, 2_000);
    await store.compact(2_000, () => true);
    let batches = 0;
    ordered.beforeBatch = () => {
      batches++;
    };
    await store.compact(2_000, () => true);
    expect(batches).toBe(0);
  });

  it("lets other work in between its slices", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 2_000, 3_000);
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await store.compact(2_000, ({ main }) => main % 2 === 0);
    running = false;
    expect(turns).toBeGreaterThan(6_000_000 / limits.blockReadBytesMax / 2);
  });

  const places = [
    "compactAfterAcquiredBatchTxLock",
    "compactBeforeCommitBatch",
    "compactAfterCommitBatch",
  ] as const;
  for (const place of places) {
    it(`that crashes at ${place} of any slice loses nothing that is alive`, async () => {
      for (let crashAt = 1; crashAt <= 4; crashAt++) {
        const ordered = new MemoryOrderedStore();
        const store = await openOn(ordered);
        await fill(store, 2, 1_000, 3_000);
        let passed = 0;
        failpoints[place] = () => {
          if (++passed === crashAt) throw new Error("crash");
          return undefined;
        };
        const alive = ({ main }: { main: number }) => main % 3 === 0;
        await expect(store.compact(900, alive)).rejects.toThrow("crash");
        delete failpoints[place];
        const after = await openOn(ordered.afterPowerCut(() => false));
        const living = (await scanAll(after)).filter((record) => record.main > 900 || alive(record));
        expect(living.length).toBe(100 + 300);
        await after.compact(900, alive);
        expect((await scanAll(after)).length).toBe(400);
      }
    });
  }

  it("ends with an error when the store is closed under it", async () => {
    const store = await openOn(new MemoryOrderedStore());
    await fill(store, 2, 2_000, 3_000);
    const compacted = store.compact(2_000, () => false).catch((error: unknown) => error);
    await store.close();
    expect(isStoreError(await compacted, "Stopped")).toBe(true);
  });
});
