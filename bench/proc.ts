/** What the kernel says of processes and of the machine. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { open, statfs, unlink } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { percentile } from "./statistics.js";

/** Fields 14 and 15 of /proc/<pid>/stat, user and kernel time; the name before them may hold spaces and brackets. */
export function parseCpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const user = Number(fields[11]);
  const kernel = Number(fields[12]);
  if (!Number.isInteger(user) || !Number.isInteger(kernel))
    throw new Error(`not a stat of a process: ${stat}`);
  return user + kernel;
}

/** VmRSS of /proc/<pid>/status, in bytes. */
export function parseResidentBytes(status: string): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error("no VmRSS in the status of a process");
  return Number(kibibytes) * 1024;
}

let ticksPerSecond: number | undefined;

export function cpuSeconds(pid: number): number {
  ticksPerSecond ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  return parseCpuTicks(readFileSync(`/proc/${pid}/stat`, "latin1")) / ticksPerSecond;
}

export function residentBytes(pid: number): number {
  return parseResidentBytes(readFileSync(`/proc/${pid}/status`, "latin1"));
}

/** From linux/magic.h: on these a sync costs nothing. */
const memoryFileSystems: Readonly<Record<number, string>> = { 16914836: "tmpfs", 2240043254: "ramfs" };
const syncSamples = 300;
const syncBytes = 4096;

export interface SyncFigures {
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Time of a write and fdatasync of 4 KiB inside a file that has its size: what a commit waits for at least. */
export async function measureSync(directory: string): Promise<SyncFigures> {
  const { type } = await statfs(directory);
  const memory = memoryFileSystems[type];
  if (memory !== undefined) throw new Error(`${directory} is on ${memory}: choose a disk by --dir`);
  const path = join(directory, "sync-probe");
  const file = await open(path, "w");
  try {
    await file.write(Buffer.alloc(syncSamples * syncBytes));
    await file.sync();
    const micros: number[] = [];
    for (let at = 0; at < syncSamples; at++) {
      const started = performance.now();
      await file.write(Buffer.alloc(syncBytes, at), 0, syncBytes, at * syncBytes);
      await file.datasync();
      micros.push((performance.now() - started) * 1000);
    }
    const sorted = micros.sort((left, right) => left - right).map((value) => [value, 1] as const);
    return { p50Micros: percentile(sorted, 0.5), p99Micros: percentile(sorted, 0.99) };
  } finally {
    await file.close();
    await unlink(path);
  }
}

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly go: string;
  readonly sync: SyncFigures;
  /** One-minute load averages. Before the run it should be near zero: what else works here is in the figures. */
  readonly loadBefore: number;
  loadAfter: number;
}

export async function machineFacts(directory: string): Promise<MachineFacts> {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    go: execFileSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).trim(),
    sync: await measureSync(directory),
    loadBefore: loadavg()[0]!,
    loadAfter: loadavg()[0]!,
  };
}
