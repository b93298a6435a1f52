/** `get`: reads a key or a range. */
import { utf8Bytes } from "../../base/bytes.js";
import type { GetOptions, RangeResponse } from "../../client/index.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import type { FlagSpec, FlagValues } from "../flags.js";
import { isSerializable } from "./consistency.js";

const int = (name: string, usage: string): FlagSpec => ({ name, kind: "int", default: 0n, usage });
const bool = (name: string, usage: string): FlagSpec => ({ name, kind: "bool", default: false, usage });

export const getFlags: readonly FlagSpec[] = [
  {
    name: "consistency",
    kind: "string",
    default: "l",
    usage: "l: linearizable, s: serializable (what the member asked has)",
  },
  { name: "order", kind: "string", default: "", usage: "ASCEND or DESCEND" },
  { name: "sort-by", kind: "string", default: "", usage: "CREATE, KEY, MODIFY, VALUE or VERSION" },
  int("limit", "most results to return (0: all)"),
  bool("prefix", "all keys that start with the key"),
  bool("from-key", "all keys at or above the key"),
  int("rev", "read the store as it was at this revision"),
  bool("keys-only", "leave the values out"),
  bool("count-only", "only how many keys there are (with -w fields)"),
  bool("print-value-only", "leave the keys out (with -w simple)"),
  int("min-create-rev", "only keys created at or after this revision"),
  int("max-create-rev", "only keys created at or before this revision"),
  int("min-mod-rev", "only keys last changed at or after this revision"),
  int("max-mod-rev", "only keys last changed at or before this revision"),
  bool("stream", "receive the answer in pieces (RangeStream)"),
];

export interface GetArguments {
  readonly key: Uint8Array;
  readonly options: GetOptions;
}

/**
 * What a command line of `get` asks for; also used for the lines of `txn`, where `bytesOf` a word is another.
 * Errors: CliFailure.
 */
export function readGetArguments(
  flags: FlagValues,
  positional: readonly string[],
  bytesOf: (word: string) => Uint8Array = utf8Bytes,
): GetArguments {
  const [key, rangeEnd] = positional;
  if (key === undefined) {
    throw badArguments("get command needs one argument as key and an optional argument as range_end");
  }
  const prefix = flags.bool("prefix");
  const fromKey = flags.bool("from-key");
  if (prefix && fromKey) {
    throw badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  if (flags.bool("keys-only") && flags.bool("count-only")) {
    throw badArguments("`--keys-only` and `--count-only` cannot be set at the same time, choose one");
  }
  const serializable = isSerializable(flags.string("consistency"));
  if (rangeEnd !== undefined && (prefix || fromKey)) {
    throw badArguments("too many arguments, only accept one argument when `--prefix` or `--from-key` is set");
  }
  const options: GetOptions = {
    rangeEnd: rangeEnd === undefined ? undefined : bytesOf(rangeEnd),
    prefix,
    fromKey,
    limit: flags.int("limit"),
    revision: atLeastZero(flags.int("rev")),
    order: readOrder(flags.string("order")),
    sortBy: readSortTarget(flags.string("sort-by")),
    serializable,
    keysOnly: flags.bool("keys-only"),
    countOnly: flags.bool("count-only"),
    ...readRevisionBounds(flags),
  };
  return { key: bytesOf(key), options };
}

function atLeastZero(value: bigint): bigint {
  return value > 0n ? value : 0n;
}

function readOrder(text: string): GetOptions["order"] {
  switch (text.toUpperCase()) {
    case "":
      return undefined;
    case "ASCEND":
      return "ascend";
    case "DESCEND":
      return "descend";
    default:
      throw new CliFailure(ExitCode.BadFeature, `bad sort order ${text}`);
  }
}

const sortTargets: Readonly<Record<string, GetOptions["sortBy"]>> = {
  "": undefined,
  CREATE: "create",
  KEY: "key",
  MODIFY: "mod",
  VALUE: "value",
  VERSION: "version",
};

function readSortTarget(text: string): GetOptions["sortBy"] {
  const name = text.toUpperCase();
  if (!Object.hasOwn(sortTargets, name)) throw new CliFailure(ExitCode.BadFeature, `bad sort target ${text}`);
  return sortTargets[name];
}

function readRevisionBounds(flags: FlagValues) {
  const [minCreate, maxCreate] = [flags.int("min-create-rev"), flags.int("max-create-rev")];
  const [minMod, maxMod] = [flags.int("min-mod-rev"), flags.int("max-mod-rev")];
  if (maxCreate > 0n && minCreate > maxCreate) {
    const text = `getMinCreateRev(=${minCreate}) > getMaxCreateRev(=${maxCreate})`;
    throw new CliFailure(ExitCode.BadFeature, text);
  }
  if (maxMod > 0n && minMod > maxMod) {
    throw new CliFailure(ExitCode.BadFeature, `getMinModRev(=${minMod}) > getMaxModRev(=${maxMod})`);
  }
  return {
    minCreateRevision: atLeastZero(minCreate),
    maxCreateRevision: atLeastZero(maxCreate),
    minModRevision: atLeastZero(minMod),
    maxModRevision: atLeastZero(maxMod),
  };
}

export const getCommand: CommandSpec = {
  use: "get [options] <key> [range_end]",
  flags: getFlags,
  async run(context) {
    const { flags } = context;
    const wanted = readGetArguments(flags, context.positional);
    const { printer } = await context.session();
    const response = await read(context, wanted);
    if (flags.bool("count-only") && printer.format !== "fields") {
      throw badArguments("--count-only is only for `--write-out=fields`");
    }
    const valueOnly = flags.bool("print-value-only");
    if (valueOnly && printer.format !== "simple") {
      throw badArguments("print-value-only is only for `--write-out=simple`");
    }
    printer.print({ kind: "get", response, valueOnly });
  },
};

async function read(context: CommandContext, { key, options }: GetArguments): Promise<RangeResponse> {
  const session = await context.session();
  const callOptions = session.startClock()();
  const { kv } = session.client();
  if (!context.flags.bool("stream")) return kv.get(key, { ...options, ...callOptions });
  const whole: RangeResponse = { header: undefined, kvs: [], more: false, count: 0n };
  for await (const piece of kv.rangeStream(key, { ...options, ...callOptions })) {
    whole.header ??= piece.header;
    whole.kvs.push(...piece.kvs);
    whole.more ||= piece.more;
    if (piece.count > 0n) whole.count = piece.count;
  }
  return whole;
}
