/** How cost grows with clients, value size, members and keys. */
import { loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Load } from "./generator.js";
import {
  type Bench,
  type Clusters,
  destroyAll,
  fill,
  interleave,
  type LoadFigures,
  loadOf,
  measureLoad,
  startClusters,
} from "./measure.js";
import { machineFacts } from "./proc.js";
import type { GrowthResult, Plot, Point, Series, Side } from "./results.js";
import { loadKeys } from "./rows.js";
import type { Launches } from "./servers.js";
import { median } from "./statistics.js";

const clientCounts = [1, 10, 100, 1_000] as const;
const valueSizes = [16, 256, 4_096, 65_536] as const;
const memberCounts = [1, 3, 5] as const;
const keyCounts = [10_000, 50_000, 200_000, 1_000_000] as const;
const quickKeysMax = 50_000;
const durationMs = 2_000;
const peaceMs = 3_000;
const pageLimit = 500;

/** Points by the name of their line, in the order in which they were added. */
class Lines {
  readonly #lines = new Map<string, Point[]>();

  add(name: string, x: number, y: number): void {
    const points = this.#lines.get(name);
    if (points === undefined) this.#lines.set(name, [{ x, y }]);
    else points.push({ x, y });
  }

  get series(): readonly Series[] {
    return [...this.#lines].map(([name, points]) => ({ name, points }));
  }
}

const names: Readonly<Record<Side, string>> = { ours: "quorate", etcd: "etcd" };

/** Medians of the interleaved runs of one load on both sides. */
async function measureBoth(
  bench: Bench,
  clusters: Clusters,
  load: Load,
  each: (side: Side, figure: (of: keyof LoadFigures) => number) => void,
): Promise<void> {
  const found = new Map<Side, LoadFigures[]>();
  await interleave(clusters, 1, async (cluster) => {
    await measureLoad(bench, cluster, { ...load, durationMs: durationMs / 2 });
  });
  await interleave(clusters, bench.options.runs, async (cluster) => {
    const figures = await measureLoad(bench, cluster, load);
    found.set(cluster.side, [...(found.get(cluster.side) ?? []), figures]);
  });
  for (const [side, figures] of found) each(side, (of) => median(figures.map((one) => one[of])));
}

async function withClusters<Result>(
  bench: Bench,
  launches: Launches,
  members: number,
  use: (clusters: Clusters) => Promise<Result>,
): Promise<Result> {
  const clusters = await startClusters(bench, launches, members);
  try {
    return await use(clusters);
  } finally {
    await destroyAll(clusters);
  }
}

function crowdOf(clients: number): Pick<Load, "clients" | "connections"> {
  return { clients, connections: Math.max(1, clients / 10) };
}

async function growWithClients(bench: Bench, clusters: Clusters): Promise<readonly Plot[]> {
  const throughput = new Lines();
  const cpu = new Lines();
  for (const workload of ["put", "get"]) {
    for (const clients of clientCounts) {
      const load = loadOf(bench.options, { workload, ...crowdOf(clients), durationMs });
      await measureBoth(bench, clusters, load, (side, figure) => {
        throughput.add(`${workload}, ${names[side]}`, clients, figure("throughput"));
        cpu.add(`${workload}, ${names[side]}`, clients, figure("serverCpu"));
      });
      bench.say(`${workload} with ${clients} clients`);
    }
  }
  const common = { xLabel: "clients" };
  return [
    {
      ...common,
      name: "clients",
      title: "Requests by clients, 1 member",
      yLabel: "requests/s",
      series: throughput.series,
    },
    {
      ...{ ...common, name: "clients-cpu", title: "Server CPU of a request by clients, 1 member" },
      ...{ yLabel: "µs", series: cpu.series },
    },
  ];
}

async function growWithValues(bench: Bench, clusters: Clusters): Promise<readonly Plot[]> {
  const lines = new Lines();
  for (const valueBytes of valueSizes) {
    const load = loadOf(bench.options, { valueBytes, ...crowdOf(100), durationMs });
    await measureBoth(bench, clusters, load, (side, figure) => {
      lines.add(names[side], valueBytes, figure("throughput"));
    });
    bench.say(`put of ${valueBytes} bytes`);
  }
  const labels = { xLabel: "bytes of a value", yLabel: "puts/s" };
  return [
    {
      name: "values",
      title: "Puts by size of value, 100 clients, 1 member",
      ...labels,
      series: lines.series,
    },
  ];
}

async function growWithMembers(bench: Bench, launches: Launches): Promise<readonly Plot[]> {
  const lines = new Lines();
  for (const members of memberCounts) {
    await withClusters(bench, launches, members, async (clusters) => {
      for (const cluster of Object.values(clusters)) await fill(bench, cluster, loadKeys, 0);
      for (const workload of ["put", "get"]) {
        const load = loadOf(bench.options, { workload, ...crowdOf(100), durationMs });
        await measureBoth(bench, clusters, load, (side, figure) => {
          lines.add(`${workload}, ${names[side]}`, members, figure("throughput"));
        });
      }
    });
    bench.say(`${members} members`);
  }
  const labels = { xLabel: "members, all on this machine", yLabel: "requests/s" };
  return [{ name: "members", title: "Requests by members, 100 clients", ...labels, series: lines.series }];
}

async function growWithKeys(bench: Bench, launches: Launches): Promise<readonly Plot[]> {
  const page = new Lines();
  const memory = new Lines();
  const restart = new Lines();
  await withClusters(bench, launches, 1, async (clusters) => {
    let filled = 0;
    for (const keys of keyCounts) {
      if (bench.options.quick && keys > quickKeysMax) break;
      for (const cluster of Object.values(clusters)) await fill(bench, cluster, keys, filled);
      filled = keys;
      await delay(peaceMs);
      for (const cluster of Object.values(clusters))
        memory.add(names[cluster.side], keys, cluster.residentBytes / 1e6);
      const load = loadOf(bench.options, { workload: "page", keys, limit: pageLimit, durationMs });
      await measureBoth(bench, clusters, load, (side, figure) => page.add(names[side], keys, figure("p50")));
      for (const cluster of Object.values(clusters))
        restart.add(names[cluster.side], keys, await cluster.restart(bench.generator));
      bench.say(`${keys} keys`);
    }
  });
  const common = { xLabel: "keys" };
  return [
    {
      ...common,
      name: "keys-page",
      title: `Time of a page of ${pageLimit} keys by keys`,
      yLabel: "ms",
      series: page.series,
    },
    {
      ...common,
      name: "keys-memory",
      title: "Resident memory by keys of 256 bytes",
      yLabel: "MB",
      series: memory.series,
    },
    {
      ...common,
      name: "keys-restart",
      title: "Restart to first read by keys",
      yLabel: "ms",
      series: restart.series,
    },
  ];
}

export async function measureGrowth(
  bench: Bench,
  launches: Launches,
  versions: GrowthResult["versions"],
): Promise<GrowthResult> {
  const machine = await machineFacts(bench.options.directory);
  const startedAt = new Date().toISOString();
  const onOne = await withClusters(bench, launches, 1, async (clusters) => {
    for (const cluster of Object.values(clusters)) await fill(bench, cluster, loadKeys, 0);
    return [...(await growWithClients(bench, clusters)), ...(await growWithValues(bench, clusters))];
  });
  const plots = [
    ...onOne,
    ...(await growWithMembers(bench, launches)),
    ...(await growWithKeys(bench, launches)),
  ];
  machine.loadAfter = loadavg()[0]!;
  return { kind: "growth", startedAt, client: bench.options.client, versions, machine, plots };
}
