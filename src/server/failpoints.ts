/**
 * Failpoints set by name: from GOFAIL_FAILPOINTS at start, and by HTTP while the process runs. They act on
 * base/failpoint.ts, where the places in the code look.
 */
import { writeSync } from "node:fs";
import { type FailpointName, failpointNames, failpoints } from "../base/failpoint.js";
import { type FailpointStep, parseFailpointTerms } from "./failpoint-terms.js";

/** What a reached place may do to the process; tests replace it. */
export interface FailpointEffects {
  /** Ends the process as a crash does: nothing is flushed, nothing is closed. */
  crash(message: string): never;
  /** Stops everything for so long, as a place that stalls does. */
  block(durationMs: number): void;
  print(line: string): void;
  /** A uniform number in [0, 1). */
  random(): number;
}

export const processEffects: FailpointEffects = {
  crash(message: string): never {
    writeSync(2, `panic: ${message}\n`);
    // Not process.exit: that would let writes in hand finish, which a crash does not.
    process.kill(process.pid, "SIGKILL");
    throw new Error("the process survived SIGKILL");
  },
  block(durationMs: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
  },
  print(line: string): void {
    writeSync(1, `${line}\n`);
  },
  random: Math.random,
};

export type FailpointFailure = "does not exist" | "is disabled" | "could not parse terms";

/** A request for a failpoint that can not be met; texts are gofail's. */
export class FailpointError extends Error {
  override readonly name = "FailpointError";
  constructor(readonly failure: FailpointFailure) {
    super(failure === "could not parse terms" ? `failpoint: ${failure}` : `failpoint: failpoint ${failure}`);
  }
}

interface ActiveFailpoint {
  readonly text: string;
  /** Times that a step ran. */
  count: number;
}

export class FailpointSwitchboard {
  private readonly active = new Map<FailpointName, ActiveFailpoint>();

  constructor(private readonly effects: FailpointEffects) {}

  /** Throws FailpointError. */
  enable(name: string, text: string): void {
    const known = knownName(name);
    const steps = parseFailpointTerms(text);
    if (steps === undefined) throw new FailpointError("could not parse terms");
    const state: ActiveFailpoint = { text, count: 0 };
    const remaining = steps.map(remainingCounts);
    this.active.set(known, state);
    failpoints[known] = () => {
      const at = steps.findIndex((step, index) => this.holds(step, remaining[index]!));
      if (at < 0) return undefined;
      state.count++;
      return this.run(known, steps[at]!);
    };
  }

  /** Throws FailpointError. */
  disable(name: string): void {
    const known = knownName(name);
    if (!this.active.delete(known)) throw new FailpointError("is disabled");
    failpoints[known] = undefined;
  }

  /** The term and how often it ran. Throws FailpointError. */
  status(name: string): { readonly text: string; readonly count: number } {
    const state = this.active.get(knownName(name));
    if (state === undefined) throw new FailpointError("is disabled");
    return state;
  }

  /** "name=term" of every failpoint, the term empty where none is set; sorted. */
  list(): readonly string[] {
    return [...failpointNames].sort().map((name) => `${name}=${this.active.get(name)?.text ?? ""}`);
  }

  private holds(step: FailpointStep, remaining: number[]): boolean {
    return step.conditions.every((condition, index) => {
      if (condition.kind === "probability") return this.effects.random() <= condition.fraction;
      return remaining[index]!-- > 0;
    });
  }

  private run(name: FailpointName, step: FailpointStep): string | undefined {
    const { action } = step;
    switch (action.kind) {
      case "off":
        return undefined;
      case "panic":
        return this.effects.crash(`failpoint panic: ${action.message ?? name}`);
      case "sleep":
        this.effects.block(action.durationMs);
        return undefined;
      case "return":
        return action.value;
      case "print":
        this.effects.print(`failpoint print: ${name}`);
        return undefined;
    }
  }
}

function remainingCounts(step: FailpointStep): number[] {
  return step.conditions.map((condition) => (condition.kind === "count" ? condition.times : 0));
}

function knownName(name: string): FailpointName {
  if (!(failpointNames as readonly string[]).includes(name)) throw new FailpointError("does not exist");
  return name as FailpointName;
}

/** "name=term;name=term", as in GOFAIL_FAILPOINTS and in a PUT to /failpoints. Undefined where it is not that. */
export function splitFailpointList(text: string): ReadonlyMap<string, string> | undefined {
  const terms = new Map<string, string>();
  for (const item of text.split(";")) {
    if (item === "") continue;
    const parts = item.split("=");
    if (parts.length !== 2) return undefined;
    terms.set(parts[0]!, parts[1]!);
  }
  return terms;
}
