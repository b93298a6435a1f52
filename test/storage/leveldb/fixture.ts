import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as yieldTurn } from "node:timers/promises";
import { limits } from "../../../src/base/limits.js";
import { silentLogger } from "../../../src/base/logger.js";
import type { RevisionRecord } from "../../../src/mvcc/contract.js";
import { openRevisionStore } from "../../../src/storage/leveldb/open-revision-store.js";
import type { OrderedStore } from "../../../src/storage/leveldb/ordered-store.js";
import { LevelRevisionStore } from "../../../src/storage/leveldb/revision-store.js";

export const deps = { logger: silentLogger, yieldTurn };
export const options = { blockCacheBytesMax: limits.blockCacheBytesMax };

export function openOn(ordered: OrderedStore, blockCacheBytesMax: number = options.blockCacheBytesMax) {
  return LevelRevisionStore.open({ blockCacheBytesMax }, { ...deps, ordered });
}

export function openIn(directory: string) {
  return openRevisionStore(directory, options, deps);
}

/** Runs `use` with a fresh directory, which is removed afterwards. */
export async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), "revision-store-"));
  try {
    await use(join(parent, "store"));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** Bytes that tell the revision, `length` of them. */
export function bytesOf(main: number, sub: number, length: number): Uint8Array {
  const value = new Uint8Array(length);
  for (let at = 0; at < length; at++) value[at] = (main * 31 + sub * 7 + at) & 0xff;
  return value;
}

/** Appends puts main.0 of revisions `from` to `to`, one unit each, and flushes them. */
export async function fill(store: LevelRevisionStore, from: number, to: number, length = 300): Promise<void> {
  for (let main = from; main <= to; main++) {
    store.append(main, 0, false, bytesOf(main, 0, length));
    store.seal({ index: main, term: 1 });
  }
  await store.flush(to, { sync: true });
}

export async function scanAll(
  store: LevelRevisionStore,
  fromMain = 0,
  toMain = 2 ** 50,
): Promise<RevisionRecord[]> {
  const records: RevisionRecord[] = [];
  for await (const slice of store.scan({ fromMain, toMain })) records.push(...slice);
  return records;
}
