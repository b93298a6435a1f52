/** One measured run, and the interleaving of runs on both sides. */
import { setTimeout as delay } from "node:timers/promises";
import { type Load, type LoadSummary, runLoad } from "./generator.js";
import type { BenchOptions } from "./options.js";
import type { RowResult, Samples, Side } from "./results.js";
import { loadKeys, valueBytes } from "./rows.js";
import { BenchCluster, type Launch, type Launches } from "./servers.js";
import { type Metric, percentile } from "./statistics.js";

/** Work that a server puts off (flushes, collections) is begun by then, and belongs to the requests that made it. */
const settleMs = 400;
const tenthsPerMs = 10_000;
const fillClients = 300;
const fillConnections = 30;
/** Slower than any store that one would wait for. */
const fillKeysPerSecondMin = 1_000;

export type Clusters = Partial<Record<Side, BenchCluster>>;

/** What every suite needs: the generator, the options, and a place to say what goes on. */
export interface Bench {
  readonly generator: string;
  readonly options: BenchOptions;
  readonly say: (line: string) => void;
}

export function loadOf(options: BenchOptions, more: Partial<Load>): Load {
  return {
    ...{
      client: options.client,
      workload: "put",
      clients: 1,
      connections: 1,
      requests: 0,
      durationMs: 3_000,
    },
    ...{ keys: loadKeys, from: 0, valueBytes, limit: 0, backgroundPuts: 0, streams: 1, watches: 1, rate: 0 },
    ...more,
  };
}

/** Writes the keys numbered from `from` to below `keys`, each once, in an order unlike theirs. */
export async function fill(bench: Bench, cluster: BenchCluster, keys: number, from: number): Promise<void> {
  await runLoad(
    bench.generator,
    cluster.endpoints,
    loadOf(bench.options, {
      ...{ client: "lean", workload: "fill", keys, from, clients: fillClients, connections: fillConnections },
      // Each client writes one key before the count begins.
      ...{ requests: keys - from - fillClients, durationMs: ((keys - from) / fillKeysPerSecondMin) * 1000 },
    }),
  );
}

function addSample(samples: Samples, metric: Metric, value: number): void {
  const known = samples[metric];
  if (known === undefined) samples[metric] = [value];
  else known.push(value);
}

export function addFigures(samples: Samples, figures: Partial<Record<Metric, number>>): void {
  for (const [metric, value] of Object.entries(figures)) addSample(samples, metric as Metric, value);
}

export interface LoadFigures {
  readonly throughput: number;
  readonly p50: number;
  readonly p99: number;
  readonly serverCpu: number;
  readonly generatorCpu: number;
}

export async function measureLoad(bench: Bench, cluster: BenchCluster, load: Load): Promise<LoadFigures> {
  let before = cluster.cpuSeconds;
  const summary: LoadSummary = await runLoad(bench.generator, cluster.endpoints, load, () => {
    before = cluster.cpuSeconds;
  });
  await delay(settleMs);
  const used = cluster.cpuSeconds - before;
  return {
    throughput: summary.requests / summary.seconds,
    p50: percentile(summary.latencyBuckets, 0.5) / tenthsPerMs,
    p99: percentile(summary.latencyBuckets, 0.99) / tenthsPerMs,
    serverCpu: (used * 1e6) / summary.requests,
    generatorCpu: (summary.cpuSeconds * 1e6) / summary.requests,
  };
}

/** Runs `step` for each side, `runs` times; who is first changes from run to run. */
export async function interleave(
  clusters: Clusters,
  runs: number,
  step: (cluster: BenchCluster, run: number) => Promise<void>,
): Promise<void> {
  const present = Object.values(clusters);
  for (let run = 0; run < runs; run++) {
    for (const cluster of run % 2 === 0 ? present : present.toReversed()) await step(cluster, run);
  }
}

/** What a row measures of each side: once to warm it, then as often as the options say, by turns. */
export async function measureInTurns(
  bench: Bench,
  clusters: Clusters,
  loads: { readonly warming: Load; readonly full: Load },
  result: RowResult,
): Promise<void> {
  await interleave(clusters, 1, async (cluster) => {
    await measureLoad(bench, cluster, loads.warming);
  });
  await interleave(clusters, bench.options.runs, async (cluster) => {
    result.samples[cluster.side] ??= {};
    addFigures(result.samples[cluster.side]!, await measureLoad(bench, cluster, loads.full));
  });
}

export async function startClusters(bench: Bench, launches: Launches, members: number): Promise<Clusters> {
  const clusters: Clusters = {};
  try {
    for (const [side, launch] of Object.entries(launches) as [Side, Launch][]) {
      clusters[side] = await BenchCluster.start(side, launch, { members, under: bench.options.directory });
    }
    return clusters;
  } catch (error) {
    await destroyAll(clusters);
    throw error;
  }
}

export async function destroyAll(clusters: Clusters): Promise<void> {
  await Promise.all(Object.values(clusters).map((cluster) => cluster.destroy()));
}
