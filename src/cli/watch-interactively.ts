/** `watch -i`: watches that lines of standard input ask for, all on one connection. */
import { latin1ToBytes } from "../base/bytes.js";
import type { Watcher } from "../client/index.js";
import type { CommandContext } from "./command.js";
import {
  type EnvironmentKeys,
  follow,
  readWatchArguments,
  type WatchArguments,
  watchFlags,
  watchOptions,
} from "./commands/watch.js";
import { badArguments, CliFailure, ExitCode } from "./failure.js";
import { FlagError, type ParsedArguments, parseArguments } from "./flags.js";
import { LineReader } from "./standard-input.js";
import { splitWords } from "./txn-lines.js";

/** Reads until the input ends, which etcdctl holds to be a failure. Errors: CliFailure, CliExit. */
export async function watchInteractively(
  context: CommandContext,
  environment: EnvironmentKeys,
): Promise<never> {
  const watchers: Watcher[] = [];
  try {
    return await readLines(context, environment, watchers);
  } finally {
    for (const watcher of watchers) watcher.close();
  }
}

async function readLines(
  context: CommandContext,
  environment: EnvironmentKeys,
  watchers: Watcher[],
): Promise<never> {
  const session = await context.session();
  const client = session.client();
  const lines = new LineReader(context.host.stdin);
  // A watch that fails ends them all.
  let fail: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  for (;;) {
    const line = await Promise.race([lines.next(), failure]);
    if (line === undefined) {
      throw new CliFailure(ExitCode.InvalidInput, "error reading watch request line: EOF");
    }
    const shown = Buffer.from(line, "latin1").toString("utf8");
    const words = splitWords(line);
    if (words[0] === "progress") client.watches.requestProgress();
    else if (words[0] === undefined) {
      context.host.error(`Invalid command: ${shown} (watch and progress supported)\n`);
    } else if (words[0] !== "watch") {
      context.host.error(`Invalid command ${shown} (only support watch)\n`);
    } else if (words.length < 2 && environment.key === "") {
      context.host.error(`Invalid command ${shown} (command type or key is not provided)\n`);
    } else {
      const parsed = parseLine(words.slice(1));
      const wanted = readWatchArguments(parsed, environment, latin1ToBytes);
      const choice = readChoice(wanted, parsed);
      if (typeof choice === "string") {
        context.host.error(`Invalid command ${shown} (${choice})\n`);
        continue;
      }
      const watcher = client.watch(choice.key, choice.options);
      watchers.push(watcher);
      const command = wanted.command.map((word) => Buffer.from(word, "latin1").toString("utf8"));
      follow(context, session.printer, watcher, command).catch(fail);
    }
  }
}

function parseLine(words: readonly string[]): ParsedArguments {
  try {
    return parseArguments(watchFlags, words);
  } catch (error) {
    throw error instanceof FlagError ? badArguments(error.message) : error;
  }
}

/** Or what is wrong with it. */
function readChoice(
  wanted: WatchArguments,
  { flags }: ParsedArguments,
): ReturnType<typeof watchOptions> | string {
  try {
    return watchOptions(wanted, flags);
  } catch (error) {
    return (error as Error).message;
  }
}
