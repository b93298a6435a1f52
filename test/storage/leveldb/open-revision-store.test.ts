/** The store over real LevelDB files: opening, locking, files that are damaged or gone. */
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DamageError, isStoreError } from "../../../src/base/errors.js";
import { limits } from "../../../src/base/limits.js";
import { openClassicLevelStore } from "../../../src/storage/leveldb/classic-level-store.js";
import { openInstalledStore } from "../../../src/storage/leveldb/open-revision-store.js";
import { bytesOf, deps, fill, openIn, options, scanAll, withDirectory } from "./fixture.js";

/** Files of the active database whose name ends with `ending`, in order. */
async function databaseFiles(directory: string, ending: string): Promise<string[]> {
  const names = await readdir(join(directory, "db-1"));
  return names
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(directory, "db-1", name));
}

describe("opening a store", () => {
  it("keeps all it has when the memory of the first pass is given back", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      await fill(store, 2, 300, 64 * 1024);
      expect(store.sizeInUseBytes).toBeGreaterThan(limits.storeMappedBytesMin);
      await store.loaded();
      store.dropUnread();
      expect(Buffer.from(store.read(2, 0))).toEqual(Buffer.from(bytesOf(2, 0, 64 * 1024)));
      expect(store.loadedBytes).toBeGreaterThan(64 * 1024);
      await fill(store, 301, 310);
      expect((await scanAll(store)).length).toBe(309);
      await store.close();
    });
  });

  it("makes a fresh one that only the owner can enter, and finds what was flushed when opened again", async () => {
    await withDirectory(async (directory) => {
      const fresh = await openIn(directory);
      expect(fresh.durableApplied).toEqual({ index: 0, term: 0 });
      expect((await stat(directory)).mode & 0o777).toBe(0o700);
      fresh.setState("raft/confState", bytesOf(1, 1, 9));
      await fill(fresh, 2, 2_000);
      await fresh.close();

      const store = await openIn(directory);
      expect(store.durableApplied).toEqual({ index: 2_000, term: 1 });
      expect(Buffer.from(store.getState("raft/confState")!)).toEqual(Buffer.from(bytesOf(1, 1, 9)));
      expect(Buffer.from(store.read(777, 0))).toEqual(Buffer.from(bytesOf(777, 0, 300)));
      expect((await scanAll(store)).length).toBe(1_999);
      expect(store.sizeBytes).toBeGreaterThan(1_999 * 300);
      await store.close();
    });
  });

  it("is refused while it is open already, and leaves the open one alone", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      const incoming = join(directory, "incoming-2");
      await mkdir(incoming);
      const refusal = await openIn(directory).catch((error: unknown) => error);
      expect(isStoreError(refusal, "Other")).toBe(true);
      expect((refusal as Error).message).toContain("is in use by another process");
      expect((await stat(incoming)).isDirectory()).toBe(true);
      await fill(store, 2, 3);
      await store.close();
    });
  });

  it("goes on where a crash came between making the first database and naming it", async () => {
    await withDirectory(async (directory) => {
      await (await openIn(directory)).close();
      await rm(join(directory, "active"));
      const store = await openIn(directory);
      await fill(store, 2, 3);
      await store.close();
    });
  });

  it("removes what crashes left of received images", async () => {
    await withDirectory(async (directory) => {
      await (await openIn(directory)).close();
      await mkdir(join(directory, "incoming-7"));
      await writeFile(join(directory, "incoming-7", "000001.log"), "half");
      await mkdir(join(directory, "db-3"));
      await writeFile(join(directory, "active.tmp"), "db-3 ");
      await (await openIn(directory)).close();
      expect((await readdir(directory)).sort()).toEqual(["active", "db-1"]);
    });
  });

  it("leaves the next image alone, which may be on its way in while an installed one is opened", async () => {
    await withDirectory(async (directory) => {
      await (await openIn(directory)).close();
      await mkdir(join(directory, "db-3"));
      await mkdir(join(directory, "incoming-7"));
      await (await openInstalledStore(directory, options, deps)).close();
      expect((await readdir(directory)).sort()).toEqual(["active", "db-1", "incoming-7"]);
    });
  });
});

describe("a store that is closed while somebody reads it in slices", () => {
  it("says that it stopped, so that a read that meets the installation of an image is asked again", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      await fill(store, 2, 200, 30_000);
      const scan = store.scan({ fromMain: 0, toMain: 600 })[Symbol.asyncIterator]();
      expect((await scan.next()).done).toBe(false);
      await store.close();
      const drain = async (): Promise<void> => {
        while ((await scan.next()).done !== true);
      };
      await expect(drain()).rejects.toSatisfy((error) => isStoreError(error, "Stopped"));
    });
  });
});

describe("a store whose files are damaged", () => {
  it("does not start without the file that names its database, once it holds data", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      await fill(store, 2, 3);
      await store.close();
      await rm(join(directory, "active"));
      await expect(openIn(directory)).rejects.toThrow(DamageError);
      await writeFile(join(directory, "active"), "db-2 00000000\n");
      await expect(openIn(directory)).rejects.toThrow(DamageError);
    });
  });

  it("does not become an empty one when its database or a file of it is gone", async () => {
    for (const ending of ["", "CURRENT", ".ldb"]) {
      await withDirectory(async (directory) => {
        const store = await openIn(directory);
        await fill(store, 2, 100, 10_000);
        await store.defragment();
        await store.close();
        const gone = ending === "" ? [join(directory, "db-1")] : await databaseFiles(directory, ending);
        expect(gone.length).toBeGreaterThan(0);
        for (const file of gone) await rm(file, { recursive: true });
        await expect(openIn(directory)).rejects.toThrow(DamageError);
      });
    }
  });

  it("does not start when LevelDB skipped a damaged batch in the middle of its own log", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      await fill(store, 2, 21, 20_000);
      for (let main = 22; main <= 60; main++) await fill(store, main, main, 20_000);
      await store.close();
      const [log] = await databaseFiles(directory, ".log");
      const bytes = await readFile(log!);
      bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
      await writeFile(log!, bytes);
      const damage = await openIn(directory).catch((error: unknown) => error);
      expect(damage).toBeInstanceOf(DamageError);
      expect((damage as Error).message).toContain("a batch or a record is missing");
    });
  });

  it("serves no wrong byte wherever a bit of its tables is flipped", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      store.setState("member/1", bytesOf(1, 1, 100));
      await fill(store, 2, 400, 3_000);
      await store.defragment();
      await store.close();
      const sound = `${directory}-sound`;
      await cp(directory, sound, { recursive: true });
      const [table] = await databaseFiles(directory, ".ldb");
      const bytes = await readFile(table!);
      let refused = 0;
      for (let at = 0; at < 60; at++) {
        const damaged = Buffer.from(bytes);
        // Half of them near the end, where LevelDB has its index and footer.
        const place = at % 2 === 0 ? (bytes.length / 60) * at : bytes.length - 1 - at * 7;
        damaged[Math.floor(place)]! ^= 1 << (at & 7);
        await rm(directory, { recursive: true });
        await cp(sound, directory, { recursive: true });
        await writeFile(table!, damaged);
        refused += await readsRightOrRefuses(directory);
      }
      expect(refused).toBeGreaterThan(20);
    });
  });
});

/** 1 when damage was found, 0 when everything read was right. */
async function readsRightOrRefuses(directory: string): Promise<number> {
  const store = await openIn(directory).catch((error: unknown) => error as Error);
  if (store instanceof Error) {
    expect(store).toBeInstanceOf(DamageError);
    return 1;
  }
  try {
    const records = await scanAll(store);
    expect(records.length).toBe(399);
    for (const { main, keyValue } of records) {
      expect(Buffer.compare(keyValue, bytesOf(main, 0, 3_000))).toBe(0);
    }
    expect(Buffer.compare(store.getState("member/1")!, bytesOf(1, 1, 100))).toBe(0);
    return 0;
  } catch (error) {
    expect(error).toBeInstanceOf(DamageError);
    return 1;
  } finally {
    await store.close();
  }
}

describe("the size on disk", () => {
  it("comes down to about what is in use when the store is defragmented after a compaction", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      await fill(store, 2, 1_000, 20_000);
      await store.compact(1_000, ({ main }) => main > 950);
      expect(store.sizeInUseBytes).toBeLessThan(1_100_000);
      await store.defragment();
      expect(store.sizeBytes).toBeLessThan(2_500_000);
      expect((await scanAll(store)).length).toBe(50);
      await store.close();
    });
  });

  it("comes down by itself when a compaction leaves much more garbage than data", async () => {
    await withDirectory(async (directory) => {
      const store = await openIn(directory);
      for (let main = 2; main < 6_000; main += 500) await fill(store, main, main + 499, 20_000);
      expect(store.sizeBytes).toBeGreaterThan(100_000_000);
      await store.compact(6_001, ({ main }) => main > 5_990);
      expect(store.sizeBytes).toBeLessThan(20_000_000);
      await store.close();
    });
  });
});

describe("LevelDB behind the ordered store", () => {
  it("has written unsynced batches to synced tables when a synced one follows them", async () => {
    await withDirectory(async (directory) => {
      const ordered = await openClassicLevelStore(directory, { create: true });
      const value = new Uint8Array(50_000).fill(7);
      for (let key = 1; key <= 20; key++)
        await ordered.batch([{ key: Uint8Array.of(key), value }], { sync: false });
      const tables = async () => (await readdir(directory)).filter((name) => name.endsWith(".ldb")).length;
      expect(await tables()).toBe(0);
      await ordered.batch([{ key: Uint8Array.of(100), value }], { sync: true });
      expect(await tables()).toBe(1);
      await ordered.batch([{ key: Uint8Array.of(101), value }], { sync: true });
      expect(await tables()).toBe(1);
      await ordered.close();
    });
  });

  it("keeps a view as it was, and ends it without harm when the store closes first", async () => {
    await withDirectory(async (directory) => {
      const ordered = await openClassicLevelStore(directory, { create: true });
      await ordered.batch([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }], { sync: false });
      const view = ordered.view();
      await ordered.batch([{ key: Uint8Array.of(1), value: undefined }], { sync: false });
      const seen: number[] = [];
      for await (const slice of ordered.entries({ from: Uint8Array.of(0), to: Uint8Array.of(9) }, view)) {
        seen.push(...slice.map(([key]) => key[0]!));
      }
      expect(seen).toEqual([1]);
      expect(ordered.getSync(Uint8Array.of(1))).toBe(undefined);
      await ordered.close();
      await view.close();
      await view.close();
    });
  });
});
