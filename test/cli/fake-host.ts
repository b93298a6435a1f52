/** The process around a command, held in memory. */
import type { CliHost, ProgramName } from "../../src/cli/command.js";
import { runCli } from "../../src/cli/run.js";

export interface Outcome {
  readonly exitCode: number;
  readonly out: Buffer;
  readonly error: string;
}

export interface RunOptions {
  readonly program?: ProgramName;
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a command line in this process, as the doors would. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const out: Uint8Array[] = [];
  let error = "";
  const host: CliHost = {
    program: options.program ?? "etcdctl",
    environment: options.environment ?? {},
    out: (text) => out.push(Buffer.from(text)),
    error: (text) => {
      error += text;
    },
    stdin: (async function* () {
      if (options.stdin !== undefined) yield Buffer.from(options.stdin);
    })(),
    showTyping: () => {},
  };
  const exitCode = await runCli(argv, host);
  return { exitCode, out: Buffer.concat(out), error };
}
