/** From a command line to the command it names, by the rules that users of etcdctl know (cobra's). */
import type { CommandEntry, CommandSpec } from "./command.js";
import type { FlagSpec } from "./flags.js";

export interface CommandPath {
  /** From the root down; `names[0]` is the program. */
  readonly names: readonly string[];
  readonly entry: CommandEntry | undefined;
  readonly spec: CommandSpec;
  /** Flags of the commands above that apply here too. */
  readonly inheritedFlags: readonly FlagSpec[];
  /** Arguments without the words that named the command. */
  readonly rest: readonly string[];
  /** The next word, which names no command below this one; it may be an argument. */
  readonly nextWord: string | undefined;
}

export const helpFlagName = "help";

export function helpFlag(commandName: string): FlagSpec {
  return { name: helpFlagName, short: "h", kind: "bool", default: false, usage: `help for ${commandName}` };
}

/** Walks down as far as the words lead. A unique beginning of a name is as good as the name. */
export async function findCommand(root: CommandSpec, argv: readonly string[]): Promise<CommandPath> {
  let path: CommandPath = {
    names: [root.use],
    entry: undefined,
    spec: root,
    inheritedFlags: [],
    rest: argv,
    nextWord: undefined,
  };
  for (;;) {
    const position = firstWord(path.rest, [...path.inheritedFlags, ...ownFlags(path.spec)]);
    const word = position < 0 ? undefined : path.rest[position]!;
    const entry = word === undefined ? undefined : matchEntry(path.spec.children ?? [], word);
    if (entry === undefined) return { ...path, nextWord: word };
    const spec = await entry.load();
    path = {
      names: [...path.names, entry.name],
      entry,
      spec,
      inheritedFlags: [...path.inheritedFlags, ...(path.spec.sharedFlags ?? [])],
      rest: [...path.rest.slice(0, position), ...path.rest.slice(position + 1)],
      nextWord: undefined,
    };
    if (entry.rawArguments === true) return path;
  }
}

function ownFlags(spec: CommandSpec): FlagSpec[] {
  return [...(spec.flags ?? []), ...(spec.sharedFlags ?? []), helpFlag("")];
}

/** Where the first argument stands that is no flag and no flag's value; −1 for none. */
function firstWord(argv: readonly string[], flags: readonly FlagSpec[]): number {
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (argument === "--") return -1;
    if (!argument.startsWith("-")) {
      if (argument !== "") return at;
      continue;
    }
    if (argument.includes("=")) continue;
    const known = argument.startsWith("--")
      ? flags.find((flag) => `--${flag.name}` === argument)
      : flags.find((flag) => `-${flag.short}` === argument);
    const standsAlone = known?.kind === "bool" || (!argument.startsWith("--") && argument.length !== 2);
    if (!standsAlone) at++;
  }
  return -1;
}

export function matchEntry(entries: readonly CommandEntry[], word: string): CommandEntry | undefined {
  const exact = entries.find((entry) => entry.name === word);
  if (exact !== undefined) return exact;
  const byPrefix = entries.filter((entry) => entry.name.startsWith(word));
  return byPrefix.length === 1 ? byPrefix[0] : undefined;
}

const suggestionDistanceMax = 2;

/** What cobra says of a word that is no command. */
export function unknownCommandText(program: string, entries: readonly CommandEntry[], word: string): string {
  const typed = word.toLowerCase();
  const near = entries
    .map((entry) => entry.name)
    .filter((name) => editDistance(typed, name) <= suggestionDistanceMax || name.startsWith(typed))
    .sort();
  const suggestions =
    near.length === 0 ? "" : `\n\nDid you mean this?\n${near.map((n) => `\t${n}\n`).join("")}`;
  return `unknown command ${JSON.stringify(word)} for ${JSON.stringify(program)}${suggestions}`;
}

/** Levenshtein distance: fewest insertions, deletions and replacements that make `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
