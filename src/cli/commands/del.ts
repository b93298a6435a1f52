/** `del`: deletes a key or a range. */
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes } from "../../base/bytes.js";
import type { DeleteOptions } from "../../client/index.js";
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import type { FlagSpec, FlagValues } from "../flags.js";
import { quoteBytes } from "../go-format.js";

export const delFlags: readonly FlagSpec[] = [
  { name: "prefix", kind: "bool", default: false, usage: "all keys that start with the key" },
  { name: "prev-kv", kind: "bool", default: false, usage: "print what was deleted" },
  { name: "from-key", kind: "bool", default: false, usage: "all keys at or above the key" },
  { name: "range", kind: "bool", default: false, usage: "delete a range of keys without the pause before" },
];

const reconsiderMs = 2_000;

export interface DelArguments {
  readonly key: Uint8Array;
  readonly options: DeleteOptions;
  /** What to say, and to wait after, before a range is deleted that perhaps was not meant. */
  readonly warning: string | undefined;
}

/**
 * What a command line of `del` asks for; also used for the lines of `txn`, where `bytesOf` a word is another.
 * Errors: CliFailure.
 */
export function readDelArguments(
  flags: FlagValues,
  positional: readonly string[],
  bytesOf: (word: string) => Uint8Array = utf8Bytes,
): DelArguments {
  const [key, rangeEnd] = positional;
  if (key === undefined || positional.length > 2) {
    throw badArguments("del command needs one argument as key and an optional argument as range_end");
  }
  const prefix = flags.bool("prefix");
  const fromKey = flags.bool("from-key");
  if (prefix && fromKey) {
    throw badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  if (rangeEnd !== undefined && (prefix || fromKey)) {
    throw badArguments("too many arguments, only accept one argument when `--prefix` or `--from-key` is set");
  }
  const first = bytesOf(key);
  const end = rangeEnd === undefined ? undefined : bytesOf(rangeEnd);
  const warning =
    end === undefined || flags.bool("range")
      ? undefined
      : `Warning: Keys between ${quoteBytes(first)} and ${quoteBytes(end)} will be deleted. Please interrupt ` +
        "the command within next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.\n";
  return { key: first, options: { rangeEnd: end, prefix, fromKey, prevKv: flags.bool("prev-kv") }, warning };
}

/** Says the warning, if there is one, and leaves time to interrupt. */
export async function warnOfRange(
  { warning }: DelArguments,
  host: { error(text: string): void },
): Promise<void> {
  if (warning === undefined) return;
  host.error(warning);
  await sleep(reconsiderMs);
}

export const delCommand: CommandSpec = {
  use: "del [options] <key> [range_end]",
  flags: delFlags,
  async run(context) {
    const wanted = readDelArguments(context.flags, context.positional);
    await warnOfRange(wanted, context.host);
    const session = await context.session();
    const response = await session
      .client()
      .kv.delete(wanted.key, { ...wanted.options, ...session.startClock()() });
    session.printer.print({ kind: "del", response });
  },
};
