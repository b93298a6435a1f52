/** What a command is, and what it is given to work with. */
import type { FlagSpec, FlagValues } from "./flags.js";
import type { Session } from "./session.js";

export type ProgramName = "quorate" | "etcdctl" | "etcdutl";

/** The process around a command, so that tests can be that. */
export interface CliHost {
  readonly program: ProgramName;
  readonly environment: Readonly<Record<string, string | undefined>>;
  out(text: string | Uint8Array): void;
  error(text: string): void;
  /** Standard input, read as it is needed. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Runs a program with our output as its own; `environment` is added to ours. */
  execute(command: readonly string[], environment: Readonly<Record<string, string>>): Promise<ChildEnd>;
  /** Aborted at the first SIGINT or SIGTERM after this call, which then does not end the process as it would else. */
  untilInterrupted(): AbortSignal;
  /** On a terminal: whether typed characters are shown and edited. */
  showTyping(visible: boolean): void;
}

/** How a program that we ran ended. */
export interface ChildEnd {
  /** 0 to 255; −1 for one that a signal ended; undefined for one that could not be started. */
  readonly exitCode: number | undefined;
  /** Go's words for a bad end: "exit status 3"; empty for a good one. */
  readonly problem: string;
}

export interface CommandContext {
  readonly host: CliHost;
  readonly flags: FlagValues;
  readonly positional: readonly string[];
  /** How many of `positional` stand before a `--`; undefined where there is none. */
  readonly beforeDashes: number | undefined;
  /** The cluster and the printer that the global flags name; made when first asked for. */
  session(): Promise<Session>;
}

/** Everything about a command but its name. Loaded when the command is run, or its help is wanted. */
export interface CommandSpec {
  /** As in "Usage:", after the names of the commands above: "get [options] <key> [range_end]". */
  readonly use: string;
  /** For help; the entry's `summary` where absent. */
  readonly description?: string;
  readonly examples?: string;
  readonly flags?: readonly FlagSpec[];
  /** Flags of this command and of those below it. */
  readonly sharedFlags?: readonly FlagSpec[];
  readonly children?: readonly CommandEntry[];
  /** Absent for a command that only has others below it. Errors: CliFailure, CliExit, QuorateClientError. */
  run?(context: CommandContext): Promise<void>;
}

/** A command in the list of those above it. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group?: string;
  /** Programs that have it; all three where absent. */
  readonly programs?: readonly ProgramName[];
  /** Its arguments are not ours to read: all of them go to `run` as positional. */
  readonly rawArguments?: boolean;
  load(): Promise<CommandSpec>;
}
