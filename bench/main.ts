/** `npm run bench`: see options.ts for what it takes, docs/performance.md for what it showed. */
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { quorateVersion } from "../src/base/version.js";
import { etcdBinary, requireOurBinary, type ServerBinary } from "../test/support/server-binary.js";
import { pausesText, writeDocs } from "./docs.js";
import { buildGenerator } from "./generator.js";
import { measureGrowth } from "./growth.js";
import type { Bench } from "./measure.js";
import { runMicro } from "./micro.js";
import { type BenchOptions, parseOptions, usage } from "./options.js";
import { measurePauses } from "./pauses.js";
import { machineFacts } from "./proc.js";
import { measureProfiles } from "./profile.js";
import { type RowResult, resultsDirectory, type Side, type TableResult, writeResult } from "./results.js";
import { rows } from "./rows.js";
import { type Launches, plainLaunch } from "./servers.js";
import { measureRows } from "./suites.js";
import { machineLine, missed, plainTable, tables } from "./table.js";

function findServers(options: BenchOptions): Partial<Record<Side, ServerBinary>> {
  const ours = requireOurBinary();
  const etcd = etcdBinary();
  const servers: Partial<Record<Side, ServerBinary>> = {
    ours: options.server === undefined ? ours : { ...ours, path: options.server },
  };
  if ("missing" in etcd) console.error(`${etcd.missing}: no ratios`);
  else servers.etcd = etcd;
  return servers;
}

/** Ours by its own version: what it prints as etcd's is the version that it speaks like. */
function versionsOf(servers: Partial<Record<Side, ServerBinary>>): Partial<Record<Side, string>> {
  const versions: Partial<Record<Side, string>> = { ours: quorateVersion };
  if (servers.etcd !== undefined) versions.etcd = servers.etcd.version;
  return versions;
}

function launchesOf(servers: Partial<Record<Side, ServerBinary>>): Launches {
  return Object.fromEntries(Object.entries(servers).map(([side, binary]) => [side, plainLaunch(binary)]));
}

function resultPath(options: BenchOptions, kind: string): string {
  return options.out ?? join(resultsDirectory, `${kind}.tmp.json`);
}

async function runTable(bench: Bench, servers: Partial<Record<Side, ServerBinary>>): Promise<void> {
  const { options, say } = bench;
  const chosen = rows.filter(
    (row) => options.only.test(row.id) && !(options.quick && "keys" in row && row.keys > 200_000),
  );
  if (chosen.length === 0) throw new Error(`no row matches ${options.only.source}`);
  const machine = await machineFacts(options.directory);
  const { cores } = machine;
  const result: TableResult = {
    ...{ kind: "table", startedAt: new Date().toISOString(), client: options.client, runs: options.runs },
    ...{ quick: options.quick, versions: versionsOf(servers), machine, rows: [] },
  };
  const path = resultPath(options, options.client === "lean" ? "table-lean" : "table");
  const finished = (row: RowResult): void => {
    result.rows.push(row);
    say(plainTable(tables([row], cores)[0]!.slice(1)));
  };
  try {
    await measureRows(bench, launchesOf(servers), chosen, finished);
  } finally {
    machine.loadAfter = loadavg()[0]!;
    await writeResult(path, result);
  }
  console.log(`\n${machineLine(result)} Medians of ${options.runs} interleaved runs.\n`);
  for (const cells of tables(result.rows, cores)) console.log(`${plainTable(cells)}\n`);
  for (const line of missed(result.rows, cores)) console.log(`missed: ${line}`);
  console.log(`written to ${path}`);
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), tmpdir());
  switch (options.mode) {
    case "help":
      return void console.log(usage);
    case "list":
      return void console.log(rows.map((row) => `${row.id.padEnd(28)} ${row.title}`).join("\n"));
    case "micro":
      return runMicro(options.only);
    case "docs":
      return writeDocs();
  }
  const startedMs = performance.now();
  const say = (line: string): void =>
    console.error(`[${((performance.now() - startedMs) / 1000).toFixed(0)} s] ${line}`);
  const bench: Bench = { generator: await buildGenerator(), options, say };
  const servers = findServers(options);
  if (options.mode === "table") await runTable(bench, servers);
  if (options.mode === "growth") {
    const result = await measureGrowth(bench, launchesOf(servers), versionsOf(servers));
    await writeResult(resultPath(options, "growth"), result);
  }
  if (options.mode === "profile") {
    await writeResult(resultPath(options, "profile"), await measureProfiles(bench, servers.ours!));
  }
  if (options.mode === "pauses") {
    const result = await measurePauses(bench, servers.ours!);
    await writeResult(resultPath(options, "pauses"), result);
    console.log(pausesText(result));
  }
  if (options.writeDocs) await writeDocs();
}

// Stopped by a signal, the servers must go too: they end with this process (test/support/child-process.ts).
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main();
