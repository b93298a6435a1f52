/** Where the CPU time of one member goes while it serves puts, and while it serves gets. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { repositoryRoot, type ServerBinary } from "../test/support/server-binary.js";
import { runLoad } from "./generator.js";
import { type Bench, fill, loadOf } from "./measure.js";
import { machineFacts } from "./proc.js";
import { type CpuProfile, summariseProfile } from "./profile-summary.js";
import type { ProfileResult, WorkloadProfile } from "./results.js";
import { loadKeys } from "./rows.js";
import { BenchCluster, interpreterLaunch, type Launch } from "./servers.js";
import { markdownTable } from "./table.js";

const crowd = { clients: 100, connections: 10 } as const;
const warmMs = 1_500;
const measuredMs = 4_000;
const samplingMicros = 200;

export async function measureProfiles(bench: Bench, binary: ServerBinary): Promise<ProfileResult> {
  const machine = await machineFacts(bench.options.directory);
  const profiles: WorkloadProfile[] = [];
  for (const workload of ["put", "get", "serializable-get", "compare-and-put"]) {
    if (!bench.options.only.test(workload)) continue;
    const profile = await profileOf(bench, binary, workload);
    profiles.push(profile);
    bench.say(`${workload}: ${profile.requests} requests`);
    const cells = profile.functions.map((part) => [
      ...[part.place, part.microsPerRequest.toFixed(2), `${(part.share * 100).toFixed(1)} %`],
    ]);
    console.log(`${workload}\n${markdownTable([["function", "µs", "share"], ...cells])}\n`);
  }
  machine.loadAfter = loadavg()[0]!;
  const { client } = bench.options;
  return { kind: "profile", startedAt: new Date().toISOString(), client, machine, profiles };
}

/** Of the single modules: the profile names their files. */
function profiledLaunch(binary: ServerBinary, profileDirectory: string): Launch {
  const flags = [
    "--cpu-prof",
    "--cpu-prof-dir",
    profileDirectory,
    "--cpu-prof-interval",
    String(samplingMicros),
  ];
  return interpreterLaunch(binary, "server/main.js", flags);
}

async function profileOf(bench: Bench, binary: ServerBinary, workload: string): Promise<WorkloadProfile> {
  const directory = await mkdtemp(join(bench.options.directory, "quorate-bench-profile-"));
  const launch = profiledLaunch(binary, directory);
  let cluster: BenchCluster | undefined;
  try {
    cluster = await BenchCluster.start("ours", launch, { members: 1, under: bench.options.directory });
    await fill(bench, cluster, loadKeys, 0);
    const load = loadOf(bench.options, { workload, ...crowd, durationMs: measuredMs });
    await runLoad(bench.generator, cluster.endpoints, { ...load, durationMs: warmMs });
    const summary = await runLoad(bench.generator, cluster.endpoints, load);
    // Profile and this process count from different zeros; the end of the load is known from the end of the profile.
    const endedAtMs = performance.now();
    await cluster.stop();
    const stoppedAtMs = performance.now();
    const profile = await readProfile(directory);
    const lengthMicros = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0);
    const toMicros = lengthMicros - (stoppedAtMs - endedAtMs) * 1000;
    const span = { fromMicros: toMicros - summary.seconds * 1e6, toMicros };
    return summariseProfile(profile, span, { workload, requests: summary.requests });
  } finally {
    await cluster?.destroy();
    await rm(directory, { recursive: true, force: true });
  }
}

async function readProfile(directory: string): Promise<CpuProfile> {
  const name = (await readdir(directory)).find((file) => file.endsWith(".cpuprofile"));
  if (name === undefined) throw new Error(`the server left no profile (under ${repositoryRoot})`);
  return JSON.parse(await readFile(join(directory, name), "utf8")) as CpuProfile;
}
