/** Damage on disk is detected, never served (design.md, promise 5). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DamageError } from "../../../src/base/errors.js";
import { recordKinds } from "../../../src/storage/leveldb/keys.js";
import { MemoryOrderedStore } from "../../support/memory-ordered-store.js";
import { bytesOf, fill, openOn, scanAll } from "./fixture.js";

async function filled(): Promise<MemoryOrderedStore> {
  const ordered = new MemoryOrderedStore();
  const store = await openOn(ordered);
  store.setState("raft/confState", bytesOf(1, 1, 30));
  store.setState("member/1", bytesOf(1, 2, 50));
  await fill(store, 2, 600);
  return ordered;
}

function flipBit(value: Uint8Array, bit: number): Uint8Array {
  const at = bit % (value.length * 8);
  value[at >>> 3]! ^= 1 << (at & 7);
  return value;
}

describe("a flipped bit", () => {
  it("anywhere in a block is found when the block is read, and its bytes are not served", async () => {
    const property = fc.asyncProperty(fc.nat(), async (bit) => {
      const ordered = await filled();
      const store = await openOn(ordered, 0);
      ordered.damage(recordKinds.block, (value) => flipBit(value, bit));
      expect(() => store.read(2, 0)).toThrow(DamageError);
      expect(() => store.read(599, 0)).toThrow("remove this member from the cluster");
      await expect(scanAll(store)).rejects.toThrow(DamageError);
      await expect(store.compact(600, () => true)).rejects.toThrow(DamageError);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it("anywhere in a state record or in the mark stops the start", async () => {
    for (const kind of [recordKinds.state, recordKinds.mark]) {
      const property = fc.asyncProperty(fc.nat(), async (bit) => {
        const ordered = await filled();
        ordered.damage(kind, (value) => flipBit(value, bit));
        await expect(openOn(ordered)).rejects.toThrow(DamageError);
      });
      await fc.assert(property, { numRuns: 40 });
    }
  });
});

describe("a record that is gone", () => {
  it("stops the start, whichever it is", async () => {
    for (const kind of [recordKinds.block, recordKinds.state, recordKinds.mark]) {
      const count = (await filled()).count(kind);
      expect(count).toBeGreaterThan(0);
      for (let gone = 0; gone < count; gone++) {
        const ordered = await filled();
        let nth = 0;
        ordered.damage(kind, (value) => (nth++ === gone ? undefined : value));
        await expect(openOn(ordered)).rejects.toThrow(DamageError);
      }
    }
  });
});

describe("an older version of a block in the place of the newer", () => {
  it("is not taken for it", async () => {
    const ordered = await filled();
    const store = await openOn(ordered, 0);
    const older: Uint8Array[] = [];
    ordered.damage(recordKinds.block, (value) => {
      older.push(value);
      return value;
    });
    ordered.damage(recordKinds.block, () => older[1]);
    expect(() => store.read(2, 0)).toThrow(DamageError);
  });
});

describe("after a power cut", () => {
  /** Twelve batches, the first `synced` of them synced. Each sets state and appends. */
  async function history(synced: number): Promise<MemoryOrderedStore> {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    for (let batch = 1; batch <= 12; batch++) {
      store.append(batch + 1, 0, false, bytesOf(batch + 1, 0, 200));
      store.setState(`member/${batch % 3}`, bytesOf(batch, 0, 20));
      store.seal({ index: batch, term: 1 });
      await store.flush(batch, { sync: batch <= synced });
    }
    return ordered;
  }

  it("everything that was synced is there", async () => {
    const ordered = await history(7);
    expect(ordered.unsyncedBatches).toBe(5);
    const store = await openOn(ordered.afterPowerCut(() => false));
    expect(store.durableApplied.index).toBe(7);
    expect((await scanAll(store)).map(({ main }) => main)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(Buffer.from(store.getState("member/1")!)).toEqual(Buffer.from(bytesOf(7, 0, 20)));
  });

  it("a synced flush with nothing new makes the unsynced ones before it durable", async () => {
    const ordered = new MemoryOrderedStore();
    const store = await openOn(ordered);
    store.append(2, 0, false, bytesOf(2, 0, 10));
    store.seal({ index: 1, term: 1 });
    await store.flush(1, { sync: false });
    expect(ordered.unsyncedBatches).toBe(1);
    await store.flush(1, { sync: true });
    expect(ordered.unsyncedBatches).toBe(0);
  });

  it("with any of the unsynced batches lost, the store is a state that once was, or refuses to start", async () => {
    const ordered = await history(4);
    let refused = 0;
    let opened = 0;
    for (let mask = 0; mask < 2 ** 8; mask++) {
      const found = await openOn(ordered.afterPowerCut((batch) => (mask & (1 << batch)) !== 0)).catch(
        (error) => error,
      );
      if (found instanceof DamageError) {
        refused++;
        continue;
      }
      opened++;
      const applied = found.durableApplied.index;
      const mains = Array.from({ length: applied }, (_, at) => at + 2);
      expect((await scanAll(found)).map(({ main }) => main)).toEqual(mains);
      for (let key = 0; key < 3; key++) {
        const newest = Array.from({ length: applied }, (_, at) => at + 1).findLast(
          (batch) => batch % 3 === key,
        )!;
        expect(Buffer.from(found.getState(`member/${key}`))).toEqual(Buffer.from(bytesOf(newest, 0, 20)));
      }
    }
    // Losing only the newest batches is an older state: nine of them. Some lost ones were replaced later altogether.
    expect(opened).toBeGreaterThanOrEqual(9);
    expect(refused).toBeGreaterThan(100);
  });
});
