/**
 * How long one member's event loop stands still while all sorts of requests come at once: who waits behind a long step
 * waits that long, heartbeats among them.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { ServerBinary } from "../test/support/server-binary.js";
import { type Load, runLoad } from "./generator.js";
import { type Bench, fill, loadOf } from "./measure.js";
import { machineFacts } from "./proc.js";
import type { LoopDelay, PausesResult } from "./results.js";
import { BenchCluster, interpreterLaunch, type Launch } from "./servers.js";
import { percentile } from "./statistics.js";

const keys = 200_000;
const durations = { full: 15_000, quick: 3_000 } as const;
const warmMs = 2_000;
const reportTimeoutMs = 5_000;
const reportPollMs = 20;
const tenthsPerMs = 10_000;

/** Together they ask for more than a member can do: small writes and reads, pages, counts, and reads of everything. */
const crowds: readonly Pick<Load, "workload" | "clients" | "connections" | "limit">[] = [
  { workload: "put", clients: 50, connections: 5, limit: 0 },
  { workload: "compare-and-put", clients: 10, connections: 1, limit: 0 },
  { workload: "get", clients: 50, connections: 5, limit: 0 },
  { workload: "page", clients: 4, connections: 1, limit: 1_000 },
  { workload: "count", clients: 2, connections: 1, limit: 0 },
  { workload: "full", clients: 1, connections: 1, limit: 0 },
];

export async function measurePauses(bench: Bench, binary: ServerBinary): Promise<PausesResult> {
  const { options, generator } = bench;
  const machine = await machineFacts(options.directory);
  const directory = await mkdtemp(join(options.directory, "quorate-bench-pauses-"));
  const report = join(directory, "delay.json");
  let cluster: BenchCluster | undefined;
  try {
    const launch = watchedLaunch(binary, report);
    cluster = await BenchCluster.start("ours", launch, { members: 1, under: options.directory });
    const { endpoints } = cluster;
    await fill(bench, cluster, keys, 0);
    const ask = (durationMs: number) =>
      Promise.all(
        crowds.map((crowd) => runLoad(generator, endpoints, loadOf(options, { ...crowd, keys, durationMs }))),
      );
    await ask(warmMs);
    cluster.signal("SIGUSR2");
    const summaries = await ask(options.quick ? durations.quick : durations.full);
    cluster.signal("SIGUSR2");
    const loads = summaries.map((summary, at) => ({
      ...{ workload: crowds[at]!.workload, clients: crowds[at]!.clients },
      perSecond: summary.requests / summary.seconds,
      p50: percentile(summary.latencyBuckets, 0.5) / tenthsPerMs,
      p99: percentile(summary.latencyBuckets, 0.99) / tenthsPerMs,
    }));
    const lateMs = await readReport(report);
    machine.loadAfter = loadavg()[0]!;
    const { client } = options;
    return { kind: "pauses", startedAt: new Date().toISOString(), client, machine, loads, lateMs };
  } finally {
    await cluster?.destroy();
    await rm(directory, { recursive: true, force: true });
  }
}

function watchedLaunch(binary: ServerBinary, report: string): Launch {
  const watch = pathToFileURL(join(import.meta.dirname, "loop-delay.mjs"));
  watch.searchParams.set("out", report);
  return interpreterLaunch(binary, "bundle/server/main.js", ["--import", watch.href]);
}

async function readReport(path: string): Promise<LoopDelay> {
  for (const deadline = Date.now() + reportTimeoutMs; Date.now() < deadline; await delay(reportPollMs)) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text.endsWith("}")) return JSON.parse(text) as LoopDelay;
  }
  throw new Error("the server wrote no report of its event loop");
}
