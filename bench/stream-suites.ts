/** The rows about watches and leases, measured. */
import { setTimeout as delay } from "node:timers/promises";
import { runLoad, startHolding } from "./generator.js";
import {
  addFigures,
  type Bench,
  type Clusters,
  destroyAll,
  fill,
  interleave,
  loadOf,
  measureInTurns,
  startClusters,
} from "./measure.js";
import { newResult, type RowResult } from "./results.js";
import type { BenchCluster, Launches } from "./servers.js";
import type { HoldRow, StreamRow } from "./stream-rows.js";

const durationMs = { full: 3_000, quick: 700 } as const;
/**
 * At a low rate it takes so long until V8 has compiled what a member runs, etcd is warmed as long; and so long until
 * the slowest hundredth is of more than a few puts.
 */
const steadyWarmMs = { full: 40_000, quick: 2_000 } as const;
const steadyMs = { full: 6_000, quick: 700 } as const;
const putsMsMax = 60_000;
const quickShare = 10;
/** Memory is looked at when garbage was collected and given back: a member that rests does so a second time after nine seconds. */
const peaceMs = 12_000;
const holdRunsMax = 3;
const holdStreams = 100;
const holdConnections = 10;
/** A server that has run takes memory that it did not at its start; that is not what is held. */
const warmKeys = 10_000;
const grantClients = 300;
const grantsPerSecondMin = 500;

export async function measureStreamRow(bench: Bench, clusters: Clusters, row: StreamRow): Promise<RowResult> {
  const { quick } = bench.options;
  const { workload, clients, connections, streams, watches, rate } = row;
  const result = newResult(row);
  const size = quick ? "quick" : "full";
  const measuredMs = rate === 0 ? durationMs[size] : steadyMs[size];
  const full = loadOf(bench.options, {
    ...{ workload, clients, connections, streams, watches, rate },
    requests: quick ? Math.ceil(row.requests / quickShare) : row.requests,
    durationMs: row.requests > 0 ? putsMsMax : measuredMs,
  });
  const warming = rate === 0 ? full : { ...full, durationMs: steadyWarmMs[size] };
  await measureInTurns(bench, clusters, { warming, full }, result);
  return result;
}

/** On servers of its own each time, as memory that was taken once is not always given back. */
export async function measureHoldRow(bench: Bench, launches: Launches, row: HoldRow): Promise<RowResult> {
  const result = newResult(row);
  for (let run = 0; run < Math.min(bench.options.runs, holdRunsMax); run++) {
    const clusters = await startClusters(bench, launches, 1);
    try {
      await interleave(clusters, 1, async (cluster) => {
        result.samples[cluster.side] ??= {};
        addFigures(result.samples[cluster.side]!, { perItem: await bytesHeld(bench, cluster, row) });
      });
    } finally {
      await destroyAll(clusters);
    }
  }
  return result;
}

async function bytesHeld(bench: Bench, cluster: BenchCluster, row: HoldRow): Promise<number> {
  await fill(bench, cluster, warmKeys, 0);
  await delay(peaceMs);
  const before = cluster.residentBytes;
  const hold = row.holds === "watches" ? holdWatches : holdLeases;
  const after = await hold(bench, cluster, row);
  return (after - before) / row.count;
}

async function holdWatches(bench: Bench, cluster: BenchCluster, { count }: HoldRow): Promise<number> {
  const load = loadOf(bench.options, {
    ...{ workload: "hold-watches", connections: holdConnections },
    ...{ streams: holdStreams, watches: count / holdStreams },
  });
  const holding = await startHolding(bench.generator, cluster.endpoints, load);
  try {
    await delay(peaceMs);
    return cluster.residentBytes;
  } finally {
    await holding.stop();
  }
}

async function holdLeases(bench: Bench, cluster: BenchCluster, row: HoldRow): Promise<number> {
  for (const workload of row.holds === "leases" ? ["grant"] : ["grant", "put-leased"]) {
    await runLoad(
      bench.generator,
      cluster.endpoints,
      loadOf(bench.options, {
        ...{ client: "lean", workload, keys: row.count, clients: grantClients, connections: 30 },
        // Each client asks once before the count begins.
        ...{ requests: row.count - grantClients, durationMs: (row.count / grantsPerSecondMin) * 1_000 },
      }),
    );
  }
  await delay(peaceMs);
  return cluster.residentBytes;
}
