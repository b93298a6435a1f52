/**
 * npm run sim -- --seed N            replays one seed, shrinks it where it fails, and prints the end of its trace
 * npm run sim -- --seeds A..B        runs many on all cores, with a line of progress
 *
 *   --minutes M     begins no seed after M minutes
 *   --seconds S     simulated seconds with load and faults (30)
 *   --members N     1, 3 or 5; else the seed decides
 *   --faults a,b    kinds of faults ("none": none); else the seed decides
 *   --bug NAME      plants a bug (planted-bugs.ts)
 *   --trace         prints every line of the trace, ordinary traffic too
 *   --whole         does not shrink
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { describeOptions, type Fault, faults, type Overrides, optionsOf } from "./options.js";
import { type PlantedBug, plantedBugs } from "./planted-bugs.js";
import { runSeeds, type Summary } from "./run-seeds.js";
import { shrink } from "./shrink.js";
import { type SimResult, simulate } from "./simulation.js";

const progressIntervalMs = 2_000;
const linesPrinted = 100;

const { values } = parseArgs({
  // vite-node leaves the separator in its place.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    seconds: { type: "string" },
    members: { type: "string" },
    faults: { type: "string" },
    bug: { type: "string" },
    trace: { type: "boolean" },
    whole: { type: "boolean" },
  },
});

function overrides(): Overrides {
  const { seconds, members, bug } = values;
  if (bug !== undefined && !plantedBugs.includes(bug as PlantedBug)) {
    throw new Error(`no such bug; there are ${plantedBugs.join(", ")}`);
  }
  return {
    durationMs: seconds === undefined ? undefined : Number(seconds) * 1_000,
    members: members === undefined ? undefined : Number(members),
    faults: values.faults === undefined ? undefined : chosenFaults(values.faults),
    bug: bug as PlantedBug | undefined,
    talkative: values.trace,
  };
}

function chosenFaults(list: string): ReadonlySet<Fault> {
  if (list === "none") return new Set();
  const names = list.split(",");
  const unknown = names.filter((name) => !faults.includes(name as Fault));
  if (unknown.length > 0)
    throw new Error(`no such fault: ${unknown.join(", ")}; there are ${faults.join(", ")}`);
  return new Set(names as Fault[]);
}

function commit(): string {
  const git = (...command: string[]): string => execFileSync("git", command, { encoding: "utf8" }).trim();
  try {
    return (
      git("rev-parse", "--short", "HEAD") +
      (git("status", "--porcelain", "src", "test/sim") === "" ? "" : " with changes")
    );
  } catch {
    return "unknown";
  }
}

function print(result: SimResult, tookMs: number): void {
  console.log(result.lines.slice(values.trace === true ? 0 : -linesPrinted).join("\n"));
  const { options, simulatedMs, events, answeredWrites, linearizableReads, traceHash } = result;
  console.log(describeOptions(options));
  console.log(
    `commit ${commit()}; ${simulatedMs / 1_000} simulated seconds in ${tookMs.toFixed(0)} ms, ${events} events, ` +
      `${answeredWrites} writes and ${linearizableReads} linearizable reads answered, trace ${traceHash.toString(16)}`,
  );
  console.log(result.violation?.message ?? "no violation");
}

async function replay(seed: number): Promise<void> {
  const startedMs = performance.now();
  const result = await simulate(optionsOf(seed, overrides()));
  print(result, performance.now() - startedMs);
  if (result.violation === undefined) return;
  process.exitCode = 1;
  if (values.whole === true) return;
  console.log("\nshrunk:");
  print(await shrink(result), performance.now() - startedMs);
}

async function runMany(range: string): Promise<void> {
  const [from, to] = range.split("..").map(Number);
  if (from === undefined || to === undefined || !(from <= to))
    throw new Error("--seeds takes a range: 1..1000");
  const limitMs = Number(values.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  const startedMs = performance.now();
  let saidMs = 0;
  const line = (summary: Summary): string => {
    const tookS = (performance.now() - startedMs) / 1_000;
    const speed = summary.simulatedMs / summary.tookMs;
    return (
      `${summary.runs} of ${to - from + 1} seeds, ${(summary.simulatedMs / 3_600_000).toFixed(1)} simulated hours in ${tookS.toFixed(0)} s ` +
      `(${speed.toFixed(0)} times real time on one core), ${summary.answeredWrites} writes, ` +
      `${summary.linearizableReads} linearizable reads, ${summary.failures.length} failed`
    );
  };
  let failuresSaid = 0;
  const progress = (summary: Summary): void => {
    for (const { seed, failure } of summary.failures.slice(failuresSaid))
      console.log(`seed ${seed} fails: ${failure?.text}`);
    failuresSaid = summary.failures.length;
    if (performance.now() - saidMs < progressIntervalMs) return;
    saidMs = performance.now();
    process.stdout.write(process.stdout.isTTY === true ? `\r${line(summary)}` : `${line(summary)}\n`);
  };
  const summary = await runSeeds({
    from,
    to,
    overrides: overrides(),
    limitMs,
    stopAtFailure: false,
    progress,
  });
  console.log(`\ncommit ${commit()}: ${line(summary)}`);
  for (const { seed, failure } of summary.failures.sort((a, b) => a.seed - b.seed)) {
    console.log(`\n${failure?.text}\n  ${describeOptions(optionsOf(seed, overrides()))}`);
  }
  const never = summary.coverage.neverHit();
  console.log(never.length === 0 ? "\neverything was reached" : `\nnever reached:\n  ${never.join("\n  ")}`);
  if (summary.failures.length > 0) process.exitCode = 1;
}

if (values.seeds !== undefined) await runMany(values.seeds);
else await replay(Number(values.seed ?? 1));
