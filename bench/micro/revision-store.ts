/**
 * The revision store by itself: what an append, a flush, a read and a pass cost, and what is written for a byte.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as yieldTurn } from "node:timers/promises";
import { limits } from "../../src/base/limits.js";
import { silentLogger } from "../../src/base/logger.js";
import { seededRandom } from "../../src/base/prng.js";
import { openRevisionStore } from "../../src/storage/leveldb/open-revision-store.js";
import type { LevelRevisionStore } from "../../src/storage/leveldb/revision-store.js";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const valueBytes = 300;
const deps = { logger: silentLogger, yieldTurn };

/** All figures; uses a temporary directory and some seconds. */
export async function run(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "revision-store-bench-"));
  const figures: Figure[] = [];
  try {
    for (const [batch, sync] of [
      [100, true],
      [100, false],
      [1, true],
      [3_000, true],
    ] as const) {
      figures.push(...(await writes(join(directory, `write-${batch}-${sync}`), { batch, sync })));
    }
    figures.push(...(await reads(join(directory, "read"))));
    figures.push(...(await overwrites(join(directory, "overwrite"))));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return figures;
}

function open(directory: string, blockCacheBytesMax: number = limits.blockCacheBytesMax) {
  return openRevisionStore(directory, { blockCacheBytesMax }, deps);
}

/** Appends `count` revisions from `first`, `batch` a unit, and flushes after each unit. */
async function fill(
  store: LevelRevisionStore,
  first: number,
  count: number,
  options: { readonly batch: number; readonly sync: boolean },
): Promise<void> {
  const value = new Uint8Array(valueBytes).fill(0x61);
  for (let main = first; main < first + count; main++) {
    store.append(main, 0, false, value);
    if ((main - first + 1) % options.batch !== 0) continue;
    store.seal({ index: main, term: 1 });
    await store.flush(main, { sync: options.sync });
  }
}

async function bytesWritten(): Promise<number> {
  const text = await readFile("/proc/self/io", "latin1").catch(() => "wchar: 0");
  return Number(/^wchar: (\d+)/m.exec(text)?.[1] ?? 0);
}

async function writes(directory: string, options: { batch: number; sync: boolean }): Promise<Figure[]> {
  const count = options.batch === 1 ? 5_000 : 60_000;
  const store = await open(directory);
  await fill(store, 1, options.batch * 5, options);
  const first = options.batch * 5 + 1;
  const written = await bytesWritten();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await fill(store, first, count, options);
  const elapsed = performance.now() - start;
  const used = process.cpuUsage(cpu);
  const name = `flush of ${options.batch} x ${valueBytes} B, sync ${options.sync}`;
  const amplification = ((await bytesWritten()) - written) / (count * valueBytes);
  await store.close();
  return [
    { name, value: (elapsed * 1_000) / count, unit: "us/revision" },
    { name: `${name}: cpu of all threads`, value: (used.user + used.system) / count, unit: "us/revision" },
    { name: `${name}: written per byte, LevelDB's log and tables included`, value: amplification, unit: "x" },
  ];
}

async function reads(directory: string): Promise<Figure[]> {
  const count = 200_000;
  const figures: Figure[] = [];
  let store = await open(directory);
  await fill(store, 1, count, { batch: 1_000, sync: false });
  figures.push({
    name: "append, and seal for each 100",
    value: pendingCost(store, count),
    unit: "us/revision",
  });
  await store.close();

  const start = performance.now();
  store = await open(directory);
  figures.push({ name: `open with ${count} revisions`, value: performance.now() - start, unit: "ms" });
  for (const round of ["first", "second"]) {
    const begin = performance.now();
    let seen = 0;
    for await (const slice of store.scan({ fromMain: 0, toMain: count })) seen += slice.length;
    const elapsed = performance.now() - begin;
    figures.push({ name: `scan of ${seen} x ${valueBytes} B, ${round}`, value: elapsed, unit: "ms" });
  }
  readCost(store, count);
  figures.push({ name: "read, block in cache", value: readCost(store, count), unit: "us" });
  await store.close();

  store = await open(directory, 0);
  readCost(store, count, 2_000);
  figures.push({
    name: "read, block not in cache (64 KiB fetched and verified)",
    value: readCost(store, count, 5_000),
    unit: "us",
  });
  await store.close();
  return figures;
}

function pendingCost(store: LevelRevisionStore, after: number): number {
  const value = new Uint8Array(valueBytes);
  const count = 50_000;
  const start = performance.now();
  for (let at = 1; at <= count; at++) {
    store.append(after + at, 0, false, value);
    if (at % 100 === 0) store.seal({ index: after + at, term: 1 });
  }
  return ((performance.now() - start) * 1_000) / count;
}

function readCost(store: LevelRevisionStore, count: number, times = 400_000): number {
  const random = seededRandom(7);
  const mains = Array.from({ length: times }, () => 1 + random.below(count));
  const start = performance.now();
  let bytes = 0;
  for (const main of mains) bytes += store.read(main, 0).length;
  if (bytes !== times * valueBytes) throw new Error("a read gave another value");
  return ((performance.now() - start) * 1_000) / times;
}

/** 10,000 keys written over and over, compacted after every 100,000 writes: what stays on disk. */
async function overwrites(directory: string): Promise<Figure[]> {
  const keys = 10_000;
  const rounds = 8;
  const perRound = 100_000;
  const store = await open(directory);
  let diskMax = 0;
  let compacting = 0;
  for (let round = 0; round < rounds; round++) {
    const last = (round + 1) * perRound;
    await fill(store, round * perRound + 1, perRound, { batch: 500, sync: true });
    diskMax = Math.max(diskMax, store.sizeBytes);
    const start = performance.now();
    await store.compact(last, (record) => record.main > last - keys);
    compacting += performance.now() - start;
  }
  const figures = [
    {
      name: "overwriting 3 MB ten times between compactions: largest on disk",
      value: diskMax / 2 ** 20,
      unit: "MiB",
    },
    { name: "the same at the end", value: store.sizeBytes / 2 ** 20, unit: "MiB" },
    { name: "the same in use", value: store.sizeInUseBytes / 2 ** 20, unit: "MiB" },
    { name: `compaction of ${perRound} revisions`, value: compacting / rounds, unit: "ms" },
  ];
  await store.close();
  return figures;
}
