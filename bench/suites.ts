/** The rows of the table measured: requests under load, and a store of many keys. */
import { setTimeout as delay } from "node:timers/promises";
import { isAtLeast } from "../test/support/server-binary.js";
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
import { type LoadRow, loadKeys, type Row, type StoreRow } from "./rows.js";
import type { Launches } from "./servers.js";
import type { HoldRow, StreamRow } from "./stream-rows.js";
import { measureHoldRow, measureStreamRow } from "./stream-suites.js";

/** A store in peace: background work done, memory no longer needed given back. */
const peaceMs = 4_000;
const readMs = { full: 3_000, quick: 700 } as const;
/** The slowest thing that is asked for (a page out of a million keys) takes etcd a third of a second. */
const storeReadMs = { full: 4_000, quick: 1_500 } as const;
const writeMsMax = 40_000;
const quickRequests = 5_000;
const bytesPerMegabyte = 1e6;

/** Calls `finished` for each row as it is measured. */
export async function measureRows(
  bench: Bench,
  launches: Launches,
  rows: readonly Row[],
  finished: (row: RowResult) => void,
): Promise<void> {
  for (const members of [1, 3] as const) {
    const loads = rows.filter((row): row is LoadRow => row.kind === "load" && row.members === members);
    if (loads.length > 0) await measureLoads(bench, launches, loads, members, finished);
  }
  const streams = rows.filter((row): row is StreamRow => row.kind === "stream");
  if (streams.length > 0) {
    const clusters = await startClusters(bench, launches, 1);
    try {
      for (const row of streams) finished(await measureStreamRow(bench, clusters, row));
    } finally {
      await destroyAll(clusters);
    }
  }
  const stores = rows.filter(isStoreRow);
  if (stores.length > 0) await measureStores(bench, launches, stores, finished);
  for (const row of rows.filter((row): row is HoldRow => row.kind === "hold"))
    finished(await measureHoldRow(bench, launches, row));
}

function isStoreRow(row: Row): row is StoreRow {
  return row.kind === "read" || row.kind === "restart" || row.kind === "resident";
}

async function measureLoads(
  bench: Bench,
  launches: Launches,
  rows: readonly LoadRow[],
  members: number,
  finished: (row: RowResult) => void,
): Promise<void> {
  const clusters = await startClusters(bench, launches, members);
  try {
    for (const cluster of Object.values(clusters)) await fill(bench, cluster, loadKeys, 0);
    for (const row of rows) finished(await measureLoadRow(bench, clusters, row));
  } finally {
    await destroyAll(clusters);
  }
}

async function measureLoadRow(bench: Bench, clusters: Clusters, row: LoadRow): Promise<RowResult> {
  const { quick } = bench.options;
  const result = newResult(row);
  const full = loadOf(bench.options, {
    ...{ workload: row.workload, clients: row.clients, connections: row.connections },
    requests: quick ? Math.min(row.requests, quickRequests) : row.requests,
    durationMs: row.requests > 0 ? writeMsMax : quick ? readMs.quick : readMs.full,
  });
  // A server that has run for days is warm; so is the one that is measured.
  const warming = { ...full, requests: Math.ceil(full.requests / 2), durationMs: full.durationMs / 2 };
  await measureInTurns(bench, clusters, { warming, full }, result);
  return result;
}

async function measureStores(
  bench: Bench,
  launches: Launches,
  rows: readonly StoreRow[],
  finished: (row: RowResult) => void,
): Promise<void> {
  const clusters = await startClusters(bench, launches, 1);
  let filled = 0;
  try {
    for (const keys of [200_000, 1_000_000] as const) {
      const chosen = rows.filter((row) => row.keys === keys);
      if (chosen.length === 0) continue;
      for (const cluster of Object.values(clusters)) {
        bench.say(`putting keys up to ${keys} into ${cluster.side}`);
        await fill(bench, cluster, keys, filled);
      }
      filled = keys;
      await delay(peaceMs);
      for (const row of chosen) finished(await measureStoreRow(bench, clusters, row));
    }
  } finally {
    await destroyAll(clusters);
  }
}

async function measureStoreRow(bench: Bench, clusters: Clusters, row: StoreRow): Promise<RowResult> {
  const result = newResult(row);
  const able = Object.fromEntries(
    Object.entries(clusters).filter(([, cluster]) => isAtLeast(cluster.version, row.since[0], row.since[1])),
  ) as Clusters;
  for (const cluster of Object.values(able)) result.samples[cluster.side] = {};
  switch (row.kind) {
    case "resident":
      await delay(peaceMs);
      for (const cluster of Object.values(able))
        addFigures(result.samples[cluster.side]!, { resident: cluster.residentBytes / bytesPerMegabyte });
      return result;
    case "restart":
      await interleave(able, bench.options.runs, async (cluster) => {
        addFigures(result.samples[cluster.side]!, { restart: await cluster.restart(bench.generator) });
        await delay(peaceMs / 4);
      });
      return result;
    case "read":
      await measureStoreRead(bench, able, row, result);
      return result;
  }
}

async function measureStoreRead(
  bench: Bench,
  clusters: Clusters,
  row: StoreRow,
  result: RowResult,
): Promise<void> {
  const { keys, workload, clients, limit, backgroundPuts } = row;
  const durationMs = bench.options.quick ? storeReadMs.quick : storeReadMs.full;
  const full = loadOf(bench.options, {
    ...{ keys, workload, clients, connections: Math.min(clients, 4), limit, backgroundPuts, durationMs },
  });
  await measureInTurns(bench, clusters, { warming: { ...full, durationMs: durationMs / 2 }, full }, result);
}
