import { cp, mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DamageError, isStoreError } from "../../../src/base/errors.js";
import { limits } from "../../../src/base/limits.js";
import { recordKinds } from "../../../src/storage/leveldb/keys.js";
import type { LevelRevisionStore } from "../../../src/storage/leveldb/revision-store.js";
import { receiveImage } from "../../../src/storage/snapshot/receive-image.js";
import { MemoryOrderedStore } from "../../support/memory-ordered-store.js";
import { bytesOf, fill, openIn, openOn, scanAll, withDirectory } from "../leveldb/fixture.js";

async function imageOf(store: LevelRevisionStore): Promise<Buffer> {
  const image = await store.openImage();
  const parts: Uint8Array[] = [];
  for await (const chunk of image.chunks()) parts.push(chunk);
  await image.close();
  const whole = Buffer.concat(parts);
  expect(image.sizeBytes).toBe(whole.length);
  return whole;
}

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/** A store up to revision `last` with two state records. */
async function sender(last: number, length = 300): Promise<LevelRevisionStore> {
  const store = await openOn(new MemoryOrderedStore());
  store.setState("member/1", bytesOf(1, 1, 40));
  store.setState("raft/confState", bytesOf(1, 2, 0));
  store.seal({ index: 1, term: 1 });
  await store.flush(1, { sync: true });
  await fill(store, 2, last, length);
  return store;
}

async function expectContent(store: LevelRevisionStore, last: number): Promise<void> {
  expect(store.durableApplied).toEqual({ index: last, term: 1 });
  const records = await scanAll(store);
  expect(records.map(({ main }) => main)).toEqual(Array.from({ length: last - 1 }, (_, at) => at + 2));
  for (const { main, keyValue } of records) {
    expect(Buffer.compare(keyValue, bytesOf(main, 0, keyValue.length))).toBe(0);
  }
  expect(store.listState("").map(([key]) => key)).toEqual(["member/1", "raft/confState"]);
}

describe("an image", () => {
  it("arrives as it was, in chunks of any size, and replaces what was there", async () => {
    for (const chunkBytes of [7, 1_000, 100_000, 10_000_000]) {
      await withDirectory(async (directory) => {
        const old = await openIn(directory);
        await fill(old, 2, 3);
        const received = await receiveImage(
          directory,
          inChunks(await imageOf(await sender(700)), chunkBytes),
        );
        expect(received.applied).toEqual({ index: 700, term: 1 });
        expect(old.read(3, 0).length).toBe(300);
        await received.install();
        await old.close();
        const store = await openIn(directory);
        await expectContent(store, 700);
        await fill(store, 701, 702);
        await store.close();
        expect((await readdir(directory)).sort()).toEqual(["active", "db-2"]);
      });
    }
  });

  it("larger than LevelDB's write buffer arrives, and one without a revision", async () => {
    for (const last of [1, 1_500]) {
      await withDirectory(async (directory) => {
        const received = await receiveImage(
          directory,
          (await (await sender(last, 20_000)).openImage()).chunks(),
        );
        await received.install();
        const store = await openIn(directory);
        await expectContent(store, last);
        await store.close();
      });
    }
  });

  it("comes in chunks of the size that the limits say, and tells about how large it will be", async () => {
    const store = await sender(3_000);
    const image = await store.openImage();
    const estimate = image.sizeBytes;
    const sizes: number[] = [];
    for await (const chunk of image.chunks()) sizes.push(chunk.length);
    expect(Math.max(...sizes)).toBe(limits.snapshotChunkBytes);
    expect(Math.abs(image.sizeBytes - estimate)).toBeLessThan(estimate / 50);
    await image.close();
    await image.close();
  });

  it("is of one moment, though flushes and compactions go on while it is read", async () => {
    await withDirectory(async (directory) => {
      const store = await sender(900, 3_000);
      const image = await store.openImage();
      async function* meanwhile(): AsyncGenerator<Uint8Array> {
        for await (const chunk of image.chunks()) {
          yield chunk;
          const next = store.durableApplied.index + 1;
          await fill(store, next, next, 3_000);
          await store.compact(next, ({ main }) => main > 500);
        }
      }
      const received = await receiveImage(directory, meanwhile());
      await received.install();
      const copy = await openIn(directory);
      await expectContent(copy, 900);
      await copy.close();
    });
  });

  it("of a damaged store is not sent to its end", async () => {
    for (const kind of [recordKinds.block, recordKinds.state]) {
      for (const harm of ["flip", "lose"]) {
        const ordered = new MemoryOrderedStore();
        const store = await openOn(ordered);
        store.setState("member/1", bytesOf(1, 1, 40));
        await fill(store, 2, 600);
        let nth = 0;
        ordered.damage(kind, (value) => {
          if (nth++ > 0) return value;
          value[value.length - 1]! ^= 1;
          return harm === "lose" ? undefined : value;
        });
        await expect(imageOf(store)).rejects.toThrow(DamageError);
      }
    }
  });
});

describe("a stream that is not a whole image", () => {
  async function expectRefused(directory: string, stream: AsyncIterable<Uint8Array>): Promise<void> {
    const before = await readdir(directory).catch(() => []);
    const refusal = await receiveImage(directory, stream).catch((error: unknown) => error);
    expect(isStoreError(refusal, "Other")).toBe(true);
    expect((refusal as Error).message).toContain("store image refused");
    expect(await readdir(directory)).toEqual(before);
  }

  it("is refused wherever it is cut", async () => {
    const bytes = await imageOf(await sender(300));
    await withDirectory(async (directory) => {
      const cut = fc.oneof(
        fc.nat(bytes.length - 1),
        fc.nat(120),
        fc.integer({ min: bytes.length - 60, max: bytes.length - 1 }),
      );
      const property = fc.asyncProperty(cut, (at) =>
        expectRefused(directory, inChunks(bytes.subarray(0, at), 4_096)),
      );
      await fc.assert(property, { numRuns: 40 });
    });
  });

  it("is refused wherever a bit of it is flipped", async () => {
    const bytes = await imageOf(await sender(300));
    await withDirectory(async (directory) => {
      const place = fc.oneof(
        fc.nat(bytes.length - 1),
        fc.nat(150),
        fc.integer({ min: bytes.length - 60, max: bytes.length - 1 }),
      );
      const property = fc.asyncProperty(place, fc.nat(7), (at, bit) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 1 << bit;
        return expectRefused(directory, inChunks(damaged, 4_096));
      });
      await fc.assert(property, { numRuns: 60 });
    });
  });

  it("is refused when bytes follow its end, and when two are given in a row", async () => {
    const bytes = await imageOf(await sender(50));
    await withDirectory(async (directory) => {
      await expectRefused(directory, inChunks(Buffer.concat([bytes, Buffer.of(0)]), 4_096));
      await expectRefused(directory, inChunks(Buffer.concat([bytes, bytes]), 4_096));
    });
  });

  it("leaves nothing when the sender fails, and its error is handed on", async () => {
    const bytes = await imageOf(await sender(50));
    await withDirectory(async (directory) => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 5_000);
        throw new Error("connection reset");
      }
      await expect(receiveImage(directory, broken())).rejects.toThrow("connection reset");
      expect(await readdir(directory)).toEqual([]);
    });
  });

  it("lets the sender know that no more of it is wanted", async () => {
    await withDirectory(async (directory) => {
      let ended = false;
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield new Uint8Array(1_000);
        } finally {
          ended = true;
        }
      }
      await expectRefused(directory, endless());
      expect(ended).toBe(true);
    });
  });
});

describe("installing an image", () => {
  /** A directory with an old store of revision 3 and a received image of revision 40. */
  async function prepared(directory: string) {
    const old = await openIn(directory);
    old.setState("member/1", bytesOf(1, 1, 40));
    old.setState("raft/confState", bytesOf(1, 1, 0));
    await fill(old, 2, 3);
    await old.close();
    return receiveImage(directory, inChunks(await imageOf(await sender(40)), 4_096));
  }

  async function expectOpens(directory: string, last: number, name: string): Promise<void> {
    const store = await openIn(directory);
    await expectContent(store, last);
    await store.close();
    expect((await readdir(directory)).sort()).toEqual(["active", name]);
  }

  it("that crashes at any of its steps leaves the old store or the new one, whole, and nothing beside it", async () => {
    await withDirectory(async (directory) => {
      const received = await prepared(directory);
      const crashed = (step: number) => `${directory}-${step}`;
      for (let step = 0; step <= 3; step++) await cp(directory, crashed(step), { recursive: true });
      await received.install();
      await cp(directory, crashed(4), { recursive: true });

      await expectOpens(crashed(0), 3, "db-1");
      await rename(join(crashed(1), "incoming-2"), join(crashed(1), "db-2"));
      await expectOpens(crashed(1), 3, "db-1");
      await rename(join(crashed(2), "incoming-2"), join(crashed(2), "db-2"));
      await writeFile(join(crashed(2), "active.tmp"), "db-");
      await expectOpens(crashed(2), 3, "db-1");
      await rename(join(crashed(3), "incoming-2"), join(crashed(3), "db-2"));
      await writeFile(join(crashed(3), "active.tmp"), "db-2 00000000\n");
      await expectOpens(crashed(3), 3, "db-1");
      await expectOpens(crashed(4), 40, "db-2");
    });
  });

  it("does not happen when it is discarded", async () => {
    await withDirectory(async (directory) => {
      const received = await prepared(directory);
      await received.discard();
      expect((await readdir(directory)).sort()).toEqual(["active", "db-1"]);
      await expectOpens(directory, 3, "db-1");
    });
  });

  it("of the later of two received ones is what counts", async () => {
    await withDirectory(async (directory) => {
      const first = await prepared(directory);
      const second = await receiveImage(directory, inChunks(await imageOf(await sender(60)), 4_096));
      await first.install();
      await second.install();
      await expectOpens(directory, 60, "db-3");
    });
  });

  it("starts a member that has no store yet", async () => {
    await withDirectory(async (directory) => {
      await mkdir(directory, { recursive: true });
      const received = await receiveImage(directory, inChunks(await imageOf(await sender(60)), 4_096));
      await received.install();
      await expectOpens(directory, 60, "db-1");
    });
  });
});
