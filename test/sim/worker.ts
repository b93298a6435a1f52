/** A process that runs seeds for whoever forked it. */
import { type Overrides, optionsOf } from "./options.js";
import { simulate } from "./simulation.js";
import { Violation } from "./violation.js";

export interface Job {
  readonly seed: number;
  readonly overrides: Overrides;
  /** Run it again, and compare. */
  readonly twice: boolean;
}

/** What a run gave, in a form that can be sent to another process. */
export interface Outcome {
  readonly seed: number;
  readonly failure: { readonly check: string; readonly text: string } | undefined;
  readonly traceHash: number;
  readonly simulatedMs: number;
  /** Processor time. */
  readonly tookMs: number;
  readonly events: number;
  readonly answeredWrites: number;
  readonly linearizableReads: number;
  readonly coverage: readonly (readonly [string, number])[];
}

export async function runJob({ seed, overrides, twice }: Job): Promise<Outcome> {
  const options = optionsOf(seed, overrides);
  const before = process.cpuUsage();
  const result = await simulate(options);
  const { user, system } = process.cpuUsage(before);
  const tookMs = (user + system) / 1_000;
  let { violation } = result;
  if (twice) {
    const again = await simulate(options);
    if (again.traceHash !== result.traceHash) {
      violation = new Violation(
        "determinism",
        `traces ${result.traceHash} and ${again.traceHash} of one seed`,
      );
    }
  }
  const { traceHash, simulatedMs, events, answeredWrites, linearizableReads } = result;
  return {
    seed,
    failure: violation === undefined ? undefined : { check: violation.check, text: violation.message },
    traceHash,
    simulatedMs,
    tookMs,
    events,
    answeredWrites,
    linearizableReads,
    coverage: [...result.coverage.counts],
  };
}

/** Faults as a list, as a set does not travel between processes. */
export type SentJob = Omit<Job, "overrides"> & {
  readonly overrides: Omit<Overrides, "faults"> & { readonly faults?: readonly string[] | undefined };
};

// Whoever gave the jobs is gone, stopped by hand maybe: nobody wants the outcome of the one in hand.
process.once("disconnect", () => process.exit());
process.on("message", (job: SentJob) => {
  const { faults, ...others } = job.overrides;
  const overrides = (faults === undefined ? others : { ...others, faults: new Set(faults) }) as Overrides;
  void runJob({ ...job, overrides }).then((outcome) => process.send?.(outcome));
});
