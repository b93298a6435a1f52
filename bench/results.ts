/** What was measured, as it is kept in files. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../test/support/server-binary.js";
import type { MachineFacts } from "./proc.js";
import type { Metric, Target } from "./statistics.js";

export const sides = ["ours", "etcd"] as const;
export type Side = (typeof sides)[number];

/** One metric's value in every run. */
export type Samples = Partial<Record<Metric, number[]>>;

export interface RowResult {
  readonly id: string;
  readonly title: string;
  readonly targets: readonly Target[];
  /** A side that was not measured is absent. */
  readonly samples: Partial<Record<Side, Samples>>;
}

export function newResult({ id, title, targets }: Omit<RowResult, "samples">): RowResult {
  return { id, title, targets, samples: {} };
}

export interface TableResult {
  readonly kind: "table";
  readonly startedAt: string;
  readonly client: string;
  readonly runs: number;
  readonly quick: boolean;
  readonly versions: Partial<Record<Side, string>>;
  readonly machine: MachineFacts;
  readonly rows: RowResult[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

export interface GrowthResult {
  readonly kind: "growth";
  readonly startedAt: string;
  readonly client: string;
  readonly versions: Partial<Record<Side, string>>;
  readonly machine: MachineFacts;
  readonly plots: readonly Plot[];
}

/** Share of the time of one workload, where the time is that of the JavaScript thread when it was not idle. */
export interface ProfilePart {
  readonly place: string;
  readonly microsPerRequest: number;
  readonly share: number;
}

export interface WorkloadProfile {
  readonly workload: string;
  readonly requests: number;
  readonly idleShare: number;
  readonly rooms: readonly ProfilePart[];
  readonly files: readonly ProfilePart[];
  readonly functions: readonly ProfilePart[];
}

export interface ProfileResult {
  readonly kind: "profile";
  readonly startedAt: string;
  readonly client: string;
  readonly machine: MachineFacts;
  readonly profiles: readonly WorkloadProfile[];
}

/** How late timers of the server came, in ms, and how many were looked at. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly count: number;
}

export interface PausesResult {
  readonly kind: "pauses";
  readonly startedAt: string;
  readonly client: string;
  readonly machine: MachineFacts;
  /** What went on at once; latencies in ms. */
  readonly loads: readonly {
    readonly workload: string;
    readonly clients: number;
    readonly perSecond: number;
    readonly p50: number;
    readonly p99: number;
  }[];
  readonly lateMs: LoopDelay;
}

export type BenchResult = TableResult | GrowthResult | ProfileResult | PausesResult;

export const resultsDirectory = join(repositoryRoot, "bench/results");

export async function writeResult(path: string, result: BenchResult): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, formatResult(result));
}

/** JSON as the formatter of this tree wants it: indented, lists of plain numbers on one line. */
export function formatResult(result: BenchResult): string {
  const text = JSON.stringify(result, roundFigures, 2);
  return `${text.replace(/\[\s+([\d.,\s-]+?)\s+\]/g, (_, numbers: string) => `[${numbers.replaceAll(/,\s+/g, ", ")}]`)}\n`;
}

/** Four digits say what there is to know of a measurement. */
function roundFigures(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

export async function readResult(path: string): Promise<BenchResult | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as BenchResult);
}
