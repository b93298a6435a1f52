import { TestProcess } from "../support/child-process.js";
import type { RunningCluster } from "../support/cluster.js";
import { tlsEnvironment } from "./targets.js";

/** Go's own limit for the whole run: a test that hangs is named, with the stacks of all goroutines. */
export const runTimeoutSeconds = 240;
const killGraceMs = 1_000;

export interface GoTestResult {
  readonly verdict: "PASS" | "FAIL" | "SKIP";
  /** What the test printed, without the lines about parts that passed. */
  readonly output: string;
}

interface GoRunOptions {
  readonly cluster: RunningCluster;
  /** Version that the server claims. */
  readonly version: string;
  /** Tests that the server is too old for. */
  readonly leftOut: readonly string[];
}

const startOfTest = /^=== RUN +(Test[^/\s]+)$/;
const endOfTest = /^--- (PASS|FAIL|SKIP): (Test[^/\s]+) /;
const noise = /^\s*(=== (RUN|NAME|CONT|PAUSE) |--- PASS: )/;

/**
 * One run of the compiled Go tests, its results told at its end. Go prints the outcome of a test's parts below the
 * line of the test itself, so a test's output is complete when the next one starts or the program ends.
 */
export class GoTestRun {
  readonly #process: TestProcess;
  readonly #results: Promise<ReadonlyMap<string, GoTestResult>>;

  constructor(binary: string, options: GoRunOptions) {
    const skip = options.leftOut.length === 0 ? [] : ["-test.skip", `^(${options.leftOut.join("|")})$`];
    this.#process = new TestProcess(binary, ["-test.v", "-test.timeout", `${runTimeoutSeconds}s`, ...skip], {
      env: {
        QUORATE_COMPAT_ENDPOINTS: options.cluster.endpoints.join(","),
        QUORATE_COMPAT_VERSION: options.version,
        ...tlsEnvironment(options.cluster.tls),
      },
      cwd: undefined,
      input: undefined,
    });
    // A member that ends leaves every later test to run into its time limit: the first failure says enough.
    for (const member of options.cluster.members) {
      void member.process.exited.then(() => this.#process.signal("SIGTERM"));
    }
    this.#results = this.#process.exited.then(() => collectResults(this.#process.stdout.lines));
  }

  /** Resolves when the run has ended. A test that it did not reach failed. */
  async result(name: string): Promise<GoTestResult> {
    const result = (await this.#results).get(name);
    if (result !== undefined) return result;
    const output = `the run ended before it\n${this.#process.stdout.tail(20)}\n${this.#process.stderr.tail(40)}`;
    return { verdict: "FAIL", output };
  }

  async stop(): Promise<void> {
    await this.#process.stop(killGraceMs);
  }
}

/** Cuts the output of a whole run into that of its tests. */
export function collectResults(lines: readonly string[]): ReadonlyMap<string, GoTestResult> {
  const results = new Map<string, GoTestResult>();
  let section: string[] = [];
  let verdict: GoTestResult["verdict"] | undefined;
  let name = "";
  const finish = (): void => {
    if (verdict === undefined) return;
    results.set(name, { verdict, output: section.filter((line) => !noise.test(line)).join("\n") });
  };
  for (const line of lines) {
    if (startOfTest.test(line)) {
      finish();
      section = [];
      verdict = undefined;
    }
    const end = endOfTest.exec(line);
    if (end !== null) {
      verdict = end[1] as GoTestResult["verdict"];
      name = end[2]!;
    }
    section.push(line);
  }
  finish();
  return results;
}
