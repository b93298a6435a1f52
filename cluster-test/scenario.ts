/** One long test with real processes: it throws on the first promise that is broken. */
import type { ServerBinary } from "../test/support/server-binary.js";

export interface ScenarioContext {
  readonly binary: ServerBinary;
  /** How much of it: rounds, as the scenario understands them; its own default where none was asked for. */
  readonly rounds: number | undefined;
  readonly log: (line: string) => void;
}

export interface Scenario {
  readonly name: string;
  /** What would break in the world if it failed. */
  readonly about: string;
  /** What was seen; printed as JSON. A string says why it can not be run here. */
  readonly run: (context: ScenarioContext) => Promise<object | string>;
}
