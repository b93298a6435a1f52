/** One run of the command line, from its words to its exit code. */
import { QuorateClientError } from "../client/errors.js";
import { clientErrorText } from "./client-error.js";
import type { CliHost, CommandContext } from "./command.js";
import { rootCommand } from "./commands/index.js";
import { CliExit, CliFailure, ExitCode } from "./failure.js";
import { type CommandPath, findCommand, helpFlag, helpFlagName, unknownCommandText } from "./find-command.js";
import { FlagError, type ParsedArguments, parseArguments } from "./flags.js";
import type { Session } from "./session.js";

export async function runCli(argv: readonly string[], host: CliHost): Promise<ExitCode> {
  const path = await findCommand(rootCommand(host.program), argv);
  if (path.entry === undefined && path.nextWord !== undefined) {
    const text = unknownCommandText(host.program, path.spec.children ?? [], path.nextWord);
    host.error(`Error: ${text}\nRun '${host.program} --help' for usage.\n`);
    return ExitCode.Error;
  }
  let parsed: ParsedArguments;
  try {
    parsed =
      path.entry?.rawArguments === true ? rawArguments(path) : parseArguments(allFlags(path), path.rest);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const { usageText } = await import("./help.js");
    host.error(`Error: ${error.message}\n${usageText(path)}\n`);
    return ExitCode.Error;
  }
  const wantsHelp = path.entry?.rawArguments !== true && parsed.flags.bool(helpFlagName);
  if (wantsHelp || path.spec.run === undefined) {
    const { helpText } = await import("./help.js");
    host.out(helpText(path));
    return ExitCode.Success;
  }
  return runCommand(path, parsed, host);
}

async function runCommand(path: CommandPath, parsed: ParsedArguments, host: CliHost): Promise<ExitCode> {
  let opened: Session | undefined;
  const context: CommandContext = {
    host,
    ...parsed,
    async session() {
      if (opened === undefined) {
        const { openSession } = await import("./session.js");
        opened = await openSession(parsed.flags, host);
      }
      return opened;
    },
  };
  try {
    await path.spec.run!(context);
    return ExitCode.Success;
  } catch (error) {
    return reportFailure(error, host);
  } finally {
    await opened?.close();
  }
}

const wrongPassword = "etcdserver: authentication failed, invalid user ID or password";

function reportFailure(error: unknown, host: CliHost): ExitCode {
  if (error instanceof CliExit) return error.exitCode;
  if (error instanceof CliFailure) {
    host.error(`Error: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof QuorateClientError) {
    host.error(`Error: ${clientErrorText(error)}\n`);
    // etcdctl logs in while it connects, so that a wrong password counts as no connection.
    return error.message === wrongPassword ? ExitCode.BadConnection : ExitCode.Error;
  }
  throw error;
}

function allFlags(path: CommandPath) {
  const { spec } = path;
  const own = [...(spec.flags ?? []), ...(spec.sharedFlags ?? [])];
  return [...own, ...path.inheritedFlags, helpFlag(path.names.at(-1)!)];
}

function rawArguments(path: CommandPath): ParsedArguments {
  return { flags: parseArguments([], []).flags, positional: path.rest, beforeDashes: undefined };
}
