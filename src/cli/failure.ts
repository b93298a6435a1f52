/** How a command ends when it does not end well. */

/** Exit codes of etcd's tools. */
export const ExitCode = {
  Success: 0,
  Error: 1,
  BadConnection: 2,
  /** Unusable standard input of txn. */
  InvalidInput: 3,
  /** A flag that exists, with a value that it cannot have. */
  BadFeature: 4,
  Interrupted: 5,
  BadArguments: 128,
} as const;
/** One of those, or that of a program that was run. */
export type ExitCode = number;

/** Ends the command: "Error: <message>" on stderr and the exit code. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  constructor(
    readonly exitCode: ExitCode,
    message: string,
  ) {
    super(message);
  }
}

/** Ends the command without another word: what was to be said has been said. */
export class CliExit extends Error {
  override readonly name = "CliExit";
  constructor(readonly exitCode: ExitCode) {
    super(`exit ${exitCode}`);
  }
}

export function badArguments(message: string): CliFailure {
  return new CliFailure(ExitCode.BadArguments, message);
}
