/** Runs many seeds on all cores, in processes of their own. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { bundleWorker } from "./bundle.js";
import { Coverage } from "./coverage.js";
import type { Overrides } from "./options.js";
import type { Outcome, SentJob } from "./worker.js";

export interface SeedRun {
  readonly from: number;
  readonly to: number;
  readonly overrides: Overrides;
  /** No seed is begun after this many milliseconds. */
  readonly limitMs: number;
  readonly processes?: number | undefined;
  /** Stops at the first failure. */
  readonly stopAtFailure: boolean;
  readonly progress?: ((summary: Summary) => void) | undefined;
}

export interface Summary {
  runs: number;
  simulatedMs: number;
  /** Time of processors, ms. */
  tookMs: number;
  answeredWrites: number;
  linearizableReads: number;
  readonly failures: Outcome[];
  readonly coverage: Coverage;
}

/** One seed of so many is run twice, and must give the same trace. */
const twiceEvery = 100;

export async function runSeeds(run: SeedRun): Promise<Summary> {
  const bundle = await bundleWorker();
  const summary: Summary = {
    runs: 0,
    simulatedMs: 0,
    tookMs: 0,
    answeredWrites: 0,
    linearizableReads: 0,
    failures: [],
    coverage: new Coverage(),
  };
  const startedMs = performance.now();
  let next = run.from;
  const take = (): number | undefined => {
    const isOver = next > run.to || performance.now() - startedMs > run.limitMs;
    if (isOver || (run.stopAtFailure && summary.failures.length > 0)) return undefined;
    return next++;
  };
  try {
    const count = run.processes ?? availableParallelism();
    await Promise.all(Array.from({ length: count }, () => work(bundle.path, take, run, summary)));
  } finally {
    await bundle.remove();
  }
  return summary;
}

async function work(
  path: string,
  take: () => number | undefined,
  run: SeedRun,
  summary: Summary,
): Promise<void> {
  // A larger nursery: what an event allocates is dead by the next.
  const child = fork(path, {
    execArgv: ["--max-semi-space-size=32"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    for (let seed = take(); seed !== undefined; seed = take()) {
      const { faults, ...others } = run.overrides;
      const overrides = faults === undefined ? others : { ...others, faults: [...faults] };
      const outcome = await ask(child, { seed, overrides, twice: seed % twiceEvery === 0 });
      add(summary, outcome);
      run.progress?.(summary);
    }
  } finally {
    child.kill();
  }
}

function ask(child: ChildProcess, job: SentJob): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`a worker ended (${code}) in seed ${job.seed}`));
    child.once("exit", ended);
    child.once("message", (outcome: Outcome) => {
      child.off("exit", ended);
      resolve(outcome);
    });
    child.send(job);
  });
}

function add(summary: Summary, outcome: Outcome): void {
  summary.runs++;
  summary.simulatedMs += outcome.simulatedMs;
  summary.tookMs += outcome.tookMs;
  summary.answeredWrites += outcome.answeredWrites;
  summary.linearizableReads += outcome.linearizableReads;
  summary.coverage.merge(outcome.coverage);
  if (outcome.failure !== undefined) summary.failures.push(outcome);
}
