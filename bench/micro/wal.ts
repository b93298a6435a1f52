/**
 * The Raft log alone: CPU for an entry in a batch, time for one entry to be durable, time to read a log back.
 * `run()` prints one line a figure. The directory is made under the temporary directory of the system, which is
 * to be on a disk: on a memory file system the sync costs nothing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "../../src/base/limits.js";
import { silentLogger } from "../../src/base/logger.js";
import type { RaftLog } from "../../src/ports/raft-log.js";
import { type Entry, EntryType } from "../../src/raft/types.js";
import { createWal, openWal } from "../../src/storage/wal/open.js";

const segmentBytes = limits.walSegmentBytes;
const valueBytes = 300;

interface Load {
  readonly batches: number;
  readonly entriesPerBatch: number;
}

export async function run(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "quorate-bench-wal-"));
  try {
    await measure(directory, "one entry", { batches: 4_000, entriesPerBatch: 1 });
    await measure(directory, "100 entries", { batches: 4_000, entriesPerBatch: 100 });
    await measure(directory, "1,000 entries", { batches: 400, entriesPerBatch: 1_000 });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(parent: string, name: string, load: Load): Promise<void> {
  const directory = join(parent, name.replaceAll(/\W/g, "-"));
  const syncsMs: number[] = [];
  const deps = {
    clock: { monotonicMs: () => performance.now() },
    logger: silentLogger,
    observer: { wrote: () => {}, synced: (ms: number) => void syncsMs.push(ms) },
  };
  const { log } = await createWal(directory, { metadata: Uint8Array.of(8, 1), segmentBytes }, deps);
  const appendsMs = await append(log, load);
  await log.close();
  const openedAt = performance.now();
  const opened = await openWal(directory, { fromMark: 0, segmentBytes }, deps);
  const openMs = performance.now() - openedAt;
  await opened.log.close();
  const entries = load.batches * load.entriesPerBatch;
  const cpuUs = (sum(appendsMs.cpu) * 1000) / entries;
  print(name, `append ${spread(appendsMs.wall)}; sync alone ${spread(syncsMs)}`);
  print(
    name,
    `CPU ${cpuUs.toFixed(2)} µs an entry, kernel included; reading ${entries} back took ${openMs.toFixed(0)} ms`,
  );
}

async function append(log: RaftLog, load: Load): Promise<{ wall: number[]; cpu: number[] }> {
  const wall: number[] = [];
  const cpu: number[] = [];
  const data = new Uint8Array(valueBytes).fill(120);
  let index = 0;
  for (let batch = 0; batch < load.batches; batch++) {
    const entries: Entry[] = [];
    for (let at = 0; at < load.entriesPerBatch; at++)
      entries.push({ term: 1, index: ++index, type: EntryType.Normal, data });
    const hardState = { term: 1, vote: 1n, commit: index - load.entriesPerBatch };
    const usage = process.cpuUsage();
    const start = performance.now();
    await log.append([{ entries, hardState }], { mustSync: true });
    wall.push(performance.now() - start);
    const used = process.cpuUsage(usage);
    cpu.push((used.user + used.system) / 1000);
  }
  return { wall, cpu };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function spread(valuesMs: readonly number[]): string {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const at = (fraction: number) => ((sorted[Math.floor(sorted.length * fraction)] ?? 0) * 1000).toFixed(0);
  return `p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(0.99999)} µs`;
}

function print(name: string, text: string): void {
  process.stdout.write(`wal ${name}: ${text}\n`);
}
