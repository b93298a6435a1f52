/** `watch`: shows changes as they happen, and runs a program for each. */
import { utf8Bytes } from "../../base/bytes.js";
import { QuorateClientError, WatchCanceledError } from "../../client/errors.js";
import type { WatchEvent, Watcher, WatchOptions } from "../../client/index.js";
import { clientErrorText } from "../client-error.js";
import type { CliHost, CommandContext, CommandSpec } from "../command.js";
import { badArguments, CliExit, CliFailure, ExitCode } from "../failure.js";
import type { FlagSpec, FlagValues, ParsedArguments } from "../flags.js";
import { quoteBytes, quoteText } from "../go-format.js";
import type { Printer } from "../printers/printer.js";

export const watchFlags: readonly FlagSpec[] = [
  {
    name: "interactive",
    short: "i",
    kind: "bool",
    default: false,
    usage: "read what to watch from standard input",
  },
  { name: "prefix", kind: "bool", default: false, usage: "all keys that start with the key" },
  { name: "rev", kind: "int", default: 0n, usage: "revision to begin with; 0: what happens from now on" },
  { name: "prev-kv", kind: "bool", default: false, usage: "print what the key held before" },
  {
    name: "progress-notify",
    kind: "bool",
    default: false,
    usage: "print from time to time how far it has seen",
  },
];

/** Key and range end of the environment; empty where there are none. */
export interface EnvironmentKeys {
  readonly key: string;
  readonly rangeEnd: string;
}

export interface WatchArguments {
  readonly keys: readonly Uint8Array[];
  /** Empty: none to run. */
  readonly command: readonly string[];
}

export const badCount = "bad number of arguments";

/** `bytesOf`: how a word of the line becomes bytes. Errors: CliFailure. */
export function readWatchArguments(
  { positional, beforeDashes }: ParsedArguments,
  environment: EnvironmentKeys,
  bytesOf: (word: string) => Uint8Array,
): WatchArguments {
  const own = positional.slice(0, beforeDashes);
  const command = beforeDashes === undefined ? [] : positional.slice(beforeDashes);
  if (beforeDashes !== undefined && command.length === 0) {
    throw badArguments(`${badCount} (found separator --, but no commands)`);
  }
  if (environment.key === "") {
    if (own.length === 0 && command.length === 0) throw badArguments(badCount);
    return { keys: own.map(bytesOf), command };
  }
  if (own.length > 0) throw badArguments(`${badCount} (found conflicting environment key)`);
  const keys = [environment.key, environment.rangeEnd].filter((key) => key !== "");
  return { keys: keys.map(utf8Bytes), command };
}

/** Key and options of what to watch; throws an Error with etcdctl's words for a bad choice. */
export function watchOptions(
  { keys }: WatchArguments,
  flags: FlagValues,
): { readonly key: Uint8Array; readonly options: WatchOptions } {
  const [key, rangeEnd] = keys;
  if (key === undefined) throw new Error(badCount);
  const prefix = flags.bool("prefix");
  const hasEnd = keys.length === 2;
  if (hasEnd && prefix) throw new Error("`range_end` and `--prefix` are mutually exclusive");
  const options: WatchOptions = {
    rangeEnd: hasEnd ? rangeEnd : undefined,
    prefix,
    startRevision: flags.int("rev"),
    prevKv: flags.bool("prev-kv"),
    progressNotify: flags.bool("progress-notify"),
  };
  return { key, options };
}

export const watchCommand: CommandSpec = {
  use: "watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
  description: `Prints changes of a key, of the keys in [key, range_end), or with --prefix of those that start with the key.

A program after '--' is run for each event, with ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and
ETCD_WATCH_VALUE in its environment, the last three quoted. Key and range_end may also stand in ETCDCTL_WATCH_KEY and
ETCDCTL_WATCH_RANGE_END.

With -i, lines of standard input say what to watch, "progress" asks how far all have seen:

$ watch -i
watch foo
watch [options] key range_end -- exec-command
progress`,
  flags: watchFlags,
  async run(context) {
    const environment = readEnvironment(context.host);
    if (context.flags.bool("interactive")) {
      const { watchInteractively } = await import("../watch-interactively.js");
      return watchInteractively(context, environment);
    }
    const wanted = readWatchArguments(context, environment, utf8Bytes);
    const { key, options } = readOptions(wanted, context.flags);
    const session = await context.session();
    const watcher = session.client().watch(key, options);
    await follow(context, session.printer, watcher, wanted.command);
    throw new CliFailure(ExitCode.Interrupted, "watch is canceled by the server");
  },
};

function readEnvironment({ environment }: CliHost): EnvironmentKeys {
  const key = environment.ETCDCTL_WATCH_KEY ?? "";
  const rangeEnd = environment.ETCDCTL_WATCH_RANGE_END ?? "";
  if (key === "" && rangeEnd !== "") {
    const text = `ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${quoteText(rangeEnd)}`;
    throw badArguments(text);
  }
  return { key, rangeEnd };
}

function readOptions(wanted: WatchArguments, flags: FlagValues): ReturnType<typeof watchOptions> {
  try {
    return watchOptions(wanted, flags);
  } catch (error) {
    throw badArguments((error as Error).message);
  }
}

/** Prints until the watch ends, and tells why it did. Errors: CliFailure, CliExit. */
export async function follow(
  { host }: Pick<CommandContext, "host">,
  printer: Printer,
  watcher: Watcher,
  command: readonly string[],
): Promise<void> {
  const none = { compactRevision: 0n, canceled: false, cancelReason: "" };
  try {
    for await (const { header, events } of watcher) {
      if (events.length === 0) host.out(`progress notify: ${header.revision}\n`);
      printer.print({ kind: "watch", answer: { ...none, header, events } });
      if (command.length === 0) continue;
      for (const event of events) await runFor(host, command, event, header.revision);
    }
  } catch (error) {
    if (!(error instanceof QuorateClientError)) throw error;
    host.error(`watch was canceled (${clientErrorText(error)})\n`);
    const { compactRevision, header } = error instanceof WatchCanceledError ? error : {};
    const cancelReason = compactRevision === undefined ? error.message : "";
    const end = { header, events: [], compactRevision: compactRevision ?? 0n, canceled: true, cancelReason };
    printer.print({ kind: "watch", answer: end });
  }
}

async function runFor(
  host: CliHost,
  command: readonly string[],
  { type, kv }: WatchEvent,
  revision: bigint,
): Promise<void> {
  const { problem } = await host.execute(command, {
    ETCD_WATCH_REVISION: String(revision),
    ETCD_WATCH_EVENT_TYPE: quoteText(type.toUpperCase()),
    ETCD_WATCH_KEY: quoteBytes(kv.key),
    ETCD_WATCH_VALUE: quoteBytes(kv.value),
  });
  if (problem === "") return;
  host.error(`command [${command.map(quoteText).join(" ")}] error (${problem})\n`);
  throw new CliExit(ExitCode.Error);
}
