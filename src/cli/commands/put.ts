/** `put`: writes a key. */
import { emptyBytes, utf8Bytes } from "../../base/bytes.js";
import type { PutOptions } from "../../client/index.js";
import type { CliHost, CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import type { FlagSpec, FlagValues } from "../flags.js";
import { parseGoInt } from "../go-values.js";
import { readAll } from "../standard-input.js";

export const putFlags: readonly FlagSpec[] = [
  {
    name: "lease",
    kind: "string",
    default: "0",
    usage: "id of the lease to attach the key to, in hexadecimal",
  },
  { name: "prev-kv", kind: "bool", default: false, usage: "print what the key held before" },
  { name: "ignore-value", kind: "bool", default: false, usage: "keep the value that the key has" },
  { name: "ignore-lease", kind: "bool", default: false, usage: "keep the lease that the key has" },
];

/** Of the command alone: a line of `txn` has no lease of its own. */
const ttlFlag: FlagSpec = {
  name: "ttl",
  kind: "int",
  default: 0n,
  usage: "attach the key to a new lease of so many seconds, and print the lease",
};

export const argumentsNeeded = "put command needs 1 argument and input from stdin or 2 arguments";

export interface PutArguments {
  readonly key: Uint8Array;
  /** Undefined: to be read from standard input. */
  readonly value: Uint8Array | undefined;
  readonly options: PutOptions;
}

/**
 * What a command line of `put` asks for; also used for the lines of `txn`, where `bytesOf` a word is another.
 * Errors: CliFailure.
 */
export function readPutArguments(
  flags: FlagValues,
  positional: readonly string[],
  bytesOf: (word: string) => Uint8Array = utf8Bytes,
): PutArguments {
  const [key, value] = positional;
  if (key === undefined) throw badArguments(argumentsNeeded);
  const ignoreValue = flags.bool("ignore-value");
  if (ignoreValue && value !== undefined) {
    throw badArguments("put command needs only 1 argument when 'ignore-value' is set");
  }
  const options: PutOptions = {
    lease: readLease(flags.string("lease")),
    ignoreValue,
    ignoreLease: flags.bool("ignore-lease"),
    prevKv: flags.bool("prev-kv"),
  };
  const bytes = value === undefined ? undefined : bytesOf(value);
  return { key: bytesOf(key), value: ignoreValue ? emptyBytes : bytes, options };
}

/** The value of a `put` that has none on its line. Errors: CliFailure where standard input is empty too. */
export async function readPutValue(host: CliHost): Promise<Uint8Array> {
  const bytes = await readAll(host.stdin);
  if (bytes.length === 0) throw badArguments(argumentsNeeded);
  return bytes;
}

function readLease(text: string): bigint {
  try {
    return parseGoInt(text, 16);
  } catch (error) {
    throw badArguments(`bad lease ID (${(error as Error).message}), expecting ID in Hex`);
  }
}

export const putCommand: CommandSpec = {
  use: "put [options] <key> <value> (<value> can also be given from stdin)",
  description: `Writes a key. Without <value>, the value is read from standard input.

A <value> that begins with '-' is taken for a flag, unless '--' stands before it:

$ put <key> -- <value>
$ put -- <key> <value>

To store a file:

$ cat file | put <key>

To have the key deleted after a minute, unless its lease is renewed:

$ put <key> <value> --ttl 60`,
  flags: [...putFlags, ttlFlag],
  async run(context) {
    const ttlSeconds = readTtl(context.flags);
    const { key, value, options } = readPutArguments(context.flags, context.positional);
    const bytes = value ?? (await readPutValue(context.host));
    const session = await context.session();
    const clock = session.startClock();
    const client = session.client();
    const granted = ttlSeconds === undefined ? undefined : await client.leases.grant(ttlSeconds, clock());
    const lease = granted?.ID ?? options.lease;
    try {
      const response = await client.kv.put(key, bytes, { ...options, lease, ...clock() });
      if (granted !== undefined) session.printer.print({ kind: "leaseGrant", response: granted });
      session.printer.print({ kind: "put", response });
    } catch (error) {
      // Without its key the lease is of no use; where it cannot be ended now, it ends by itself.
      if (granted !== undefined) await client.leases.revoke(granted.ID, clock()).catch(() => {});
      throw error;
    }
  },
};

function readTtl(flags: FlagValues): bigint | undefined {
  if (!flags.changed("ttl")) return undefined;
  if (flags.changed("lease") || flags.bool("ignore-lease")) {
    throw badArguments("`--ttl` makes a lease: it cannot be set with `--lease` or `--ignore-lease`");
  }
  const ttlSeconds = flags.int("ttl");
  if (ttlSeconds <= 0n) throw badArguments(`bad TTL (${ttlSeconds}), expecting a number of seconds above 0`);
  return ttlSeconds;
}
