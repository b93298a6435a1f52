/** The process around a command, held in memory. */
import type { CliHost, ProgramName } from "../../src/cli/command.js";
import { execute } from "../../src/cli/execute.js";
import { runCli } from "../../src/cli/run.js";

export interface Outcome {
  readonly exitCode: number;
  readonly out: Buffer;
  readonly error: string;
}

export interface RunOptions {
  readonly program?: ProgramName;
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Aborted: the process is told to end. */
  readonly interrupt?: AbortSignal;
  /** Called with each piece of standard output. */
  readonly onOut?: (text: string) => void;
  readonly environment?: Readonly<Record<string, string>>;
}

async function* inputOf(input: RunOptions["stdin"]): AsyncGenerator<Uint8Array> {
  if (typeof input === "string") yield Buffer.from(input);
  else if (input instanceof Uint8Array) yield input;
  else if (input !== undefined) yield* input;
}

/** Runs a command line in this process, as the doors would. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const out: Uint8Array[] = [];
  let error = "";
  const host: CliHost = {
    program: options.program ?? "etcdctl",
    environment: options.environment ?? {},
    out(text) {
      out.push(Buffer.from(text));
      options.onOut?.(Buffer.from(text).toString());
    },
    error: (text) => {
      error += text;
    },
    stdin: inputOf(options.stdin),
    showTyping: () => {},
    execute: (command, environment) =>
      execute(command, environment, {
        out: (bytes) => host.out(bytes),
        error: (bytes) => host.error(Buffer.from(bytes).toString()),
      }),
    untilInterrupted: () => options.interrupt ?? new AbortController().signal,
  };
  const exitCode = await runCli(argv, host);
  return { exitCode, out: Buffer.concat(out), error };
}
