/** `txn`: one transaction from standard input, in three parts that each end with an empty line. */
import { latin1ToBytes } from "../../base/bytes.js";
import { type Compare, del, get, put, type RequestOp } from "../../client/index.js";
import type { CliHost, CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import { type FlagSpec, type ParsedArguments, parseArguments } from "../flags.js";
import { LineReader } from "../standard-input.js";
import { invalidInput, parseCompare, shown, splitWords } from "../txn-lines.js";
import { delFlags, readDelArguments, warnOfRange } from "./del.js";
import { getFlags, readGetArguments } from "./get.js";
import { argumentsNeeded, putFlags, readPutArguments } from "./put.js";

export const txnCommand: CommandSpec = {
  use: "txn [options]",
  description: `Carries out one transaction, read from standard input in three parts: conditions, what to do when all of
them hold, and what to do otherwise. An empty line ends each part.

$ txn --interactive
compares:
mod("key1") > "0"

success requests (get, put, del):
put key1 "a new value"

failure requests (get, put, del):
put key1 "the first value"
put key2 "another value"

A condition is ver, create, mod, val or lease of a key in quotes, then =, !=, < or >, then a value in quotes.`,
  flags: [{ name: "interactive", short: "i", kind: "bool", default: false, usage: "ask for each part" }],
  async run(context) {
    const { host } = context;
    if (context.positional.length > 0) throw badArguments("txn command does not accept argument");
    const session = await context.session();
    const ask = (what: string): void => {
      if (context.flags.bool("interactive")) host.out(`${what}\n`);
    };
    const lines = new LineReader(host.stdin);
    ask("compares:");
    const conditions = await readPart<Compare>(lines, parseCompare);
    ask("success requests (get, put, del):");
    const success = await readPart<RequestOp>(lines, (line) => parseOperation(line, host));
    ask("failure requests (get, put, del):");
    const failure = await readPart<RequestOp>(lines, (line) => parseOperation(line, host));
    await lines.close();
    const txn = session
      .client()
      .txn()
      .if(...conditions)
      .then(...success)
      .else(...failure);
    // As in etcdctl, --command-timeout is not for transactions.
    const response = await txn.commit({ timeoutMs: Number.POSITIVE_INFINITY });
    session.printer.print({ kind: "txn", response });
  },
};

async function readPart<Item>(
  lines: LineReader,
  parse: (line: string) => Item | Promise<Item>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const line = await lines.next();
    if (line === undefined) throw invalidInput("EOF");
    const trimmed = line.replace(/^[\t\n\v\f\r ]+|[\t\n\v\f\r ]+$/g, "");
    if (trimmed === "") return items;
    items.push(await parse(trimmed));
  }
}

type OperationReader = (parsed: ParsedArguments, host: CliHost) => RequestOp | Promise<RequestOp>;

const operations: Readonly<Record<string, { readonly flags: readonly FlagSpec[]; read: OperationReader }>> = {
  get: {
    flags: getFlags,
    read({ flags, positional }) {
      const { key, options } = readGetArguments(flags, positional, latin1ToBytes);
      return get(key, options);
    },
  },
  put: {
    flags: putFlags,
    read({ flags, positional }) {
      const { key, value, options } = readPutArguments(flags, positional, latin1ToBytes);
      // Standard input has the transaction; no value can come from there.
      if (value === undefined) throw badArguments(argumentsNeeded);
      return put(key, value, options);
    },
  },
  del: {
    flags: delFlags,
    async read({ flags, positional }, host) {
      const wanted = readDelArguments(flags, positional, latin1ToBytes);
      await warnOfRange(wanted, host);
      return del(wanted.key, wanted.options);
    },
  },
};

async function parseOperation(line: string, host: CliHost): Promise<RequestOp> {
  const [name, ...rest] = splitWords(line);
  if (name === undefined || rest.length === 0) {
    throw invalidInput(`invalid txn compare request: ${shown(line)}`);
  }
  const matching = Object.keys(operations).filter((operation) => operation.startsWith(name));
  const operation = matching.length === 1 ? operations[matching[0]!] : undefined;
  if (operation === undefined) throw invalidInput(`invalid txn request: ${shown(line)}`);
  return operation.read(parseLine(operation.flags, rest, line), host);
}

function parseLine(flags: readonly FlagSpec[], words: readonly string[], line: string): ParsedArguments {
  try {
    return parseArguments(flags, words);
  } catch {
    throw invalidInput(`invalid txn request: ${shown(line)}`);
  }
}
