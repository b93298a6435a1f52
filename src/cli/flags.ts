/** Flags: how they are declared, read from a command line as pflag reads them, and listed in help. */
import { parseGoBool, parseGoDuration, parseGoInt } from "./go-values.js";

interface FlagBase {
  readonly name: string;
  /** One letter, for `-w json`. */
  readonly short?: string;
  readonly usage: string;
}

export type FlagSpec = FlagBase &
  (
    | { readonly kind: "string"; readonly default: string }
    | { readonly kind: "bool"; readonly default: boolean }
    /** 64 bits, signed. */
    | { readonly kind: "int"; readonly default: bigint }
    /** As Go writes durations; its value is in milliseconds. */
    | { readonly kind: "duration"; readonly default: number; readonly defaultText: string }
    /** Comma separated; given again, it adds to what it has. */
    | { readonly kind: "strings"; readonly default: readonly string[] }
  );

type FlagValue = string | boolean | bigint | number | readonly string[];

/** What a command line and the environment made of the declared flags. */
export class FlagValues {
  private readonly values = new Map<string, FlagValue>();
  private readonly given = new Set<string>();

  constructor(readonly specs: readonly FlagSpec[]) {}

  /** True where it was set, by command line or environment. */
  changed(name: string): boolean {
    return this.given.has(name);
  }

  string(name: string): string {
    return this.read(name, "string") as string;
  }
  bool(name: string): boolean {
    return this.read(name, "bool") as boolean;
  }
  int(name: string): bigint {
    return this.read(name, "int") as bigint;
  }
  durationMs(name: string): number {
    return this.read(name, "duration") as number;
  }
  strings(name: string): readonly string[] {
    return this.read(name, "strings") as readonly string[];
  }

  /** Throws an Error with strconv's or time's words. */
  set(spec: FlagSpec, text: string): void {
    this.values.set(spec.name, this.parse(spec, text));
    this.given.add(spec.name);
  }

  private parse(spec: FlagSpec, text: string): FlagValue {
    switch (spec.kind) {
      case "string":
        return text;
      case "bool":
        return parseGoBool(text);
      case "int":
        return parseGoInt(text, 0);
      case "duration":
        return parseGoDuration(text);
      case "strings": {
        const before = this.given.has(spec.name) ? this.strings(spec.name) : [];
        return text === "" ? before : [...before, ...text.split(",")];
      }
    }
  }

  private read(name: string, kind: FlagSpec["kind"]): FlagValue {
    const spec = this.specs.find((candidate) => candidate.name === name);
    if (spec?.kind !== kind) throw new TypeError(`no ${kind} flag ${name} is declared`);
    return this.values.get(name) ?? spec.default;
  }
}

/** A command line that cannot be read; shown with the command's usage. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

export interface ParsedArguments {
  readonly flags: FlagValues;
  /** What is not a flag, in order. */
  readonly positional: readonly string[];
  /** How many of `positional` stand before a `--`; undefined where there is none. */
  readonly beforeDashes: number | undefined;
}

/** Reads flags wherever they stand; `--` ends them. Throws `FlagError`. */
export function parseArguments(specs: readonly FlagSpec[], argv: readonly string[]): ParsedArguments {
  const flags = new FlagValues(specs);
  const positional: string[] = [];
  let beforeDashes: number | undefined;
  let at = 0;
  const next = (): string | undefined => argv[at++];
  for (let argument = next(); argument !== undefined; argument = next()) {
    if (argument === "--") {
      beforeDashes = positional.length;
      positional.push(...argv.slice(at));
      break;
    }
    if (argument.startsWith("--")) parseLong(flags, argument, next);
    else if (argument.startsWith("-") && argument.length > 1) parseShort(flags, argument.slice(1), next);
    else positional.push(argument);
  }
  return { flags, positional, beforeDashes };
}

function parseLong(flags: FlagValues, argument: string, next: () => string | undefined): void {
  const equals = argument.indexOf("=");
  const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
  if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${argument}`);
  const spec = flags.specs.find((candidate) => candidate.name === name);
  if (spec === undefined) throw new FlagError(`unknown flag: --${name}`);
  if (equals >= 0) {
    assign(flags, spec, argument.slice(equals + 1));
    return;
  }
  const value = spec.kind === "bool" ? "true" : next();
  if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
  assign(flags, spec, value);
}

/** "w", "wjson", "w=json", or several booleans in a row: "ih". */
function parseShort(flags: FlagValues, letters: string, next: () => string | undefined): void {
  for (let rest = letters; rest !== ""; rest = rest.slice(1)) {
    const spec = flags.specs.find((candidate) => candidate.short === rest[0]);
    if (spec === undefined) throw new FlagError(`unknown shorthand flag: '${rest[0]}' in -${rest}`);
    if (spec.kind === "bool" && rest[1] !== "=") {
      assign(flags, spec, "true");
      continue;
    }
    let value: string | undefined;
    if (rest.length > 2 && rest[1] === "=") value = rest.slice(2);
    else value = rest.length > 1 ? rest.slice(1) : next();
    if (value === undefined) throw new FlagError(`flag needs an argument: '${rest[0]}' in -${rest}`);
    assign(flags, spec, value);
    return;
  }
}

function assign(flags: FlagValues, spec: FlagSpec, text: string): void {
  try {
    flags.set(spec, text);
  } catch (error) {
    const name = spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`;
    const cause = error instanceof Error ? error.message : String(error);
    throw new FlagError(`invalid argument ${JSON.stringify(text)} for "${name}" flag: ${cause}`);
  }
}

const kindNames: Readonly<Record<FlagSpec["kind"], string>> = {
  string: " string",
  bool: "",
  int: " int",
  duration: " duration",
  strings: " strings",
};

function defaultText(spec: FlagSpec): string {
  switch (spec.kind) {
    case "string":
      return spec.default === "" ? "" : ` (default ${JSON.stringify(spec.default)})`;
    case "bool":
      return spec.default ? " (default true)" : "";
    case "int":
      return spec.default === 0n ? "" : ` (default ${spec.default})`;
    case "duration":
      return ` (default ${spec.defaultText})`;
    case "strings":
      return ` (default [${spec.default.join(",")}])`;
  }
}

/** One line for each flag, by name, their texts in one column. */
export function flagUsages(specs: readonly FlagSpec[]): string {
  const sorted = [...specs].sort((a, b) => (a.name < b.name ? -1 : 1));
  const heads = sorted.map((spec) => {
    const short = spec.short === undefined ? "    " : `-${spec.short}, `;
    return `  ${short}--${spec.name}${kindNames[spec.kind]}`;
  });
  const width = Math.max(0, ...heads.map((head) => head.length));
  const lines = sorted.map(
    (spec, row) => `${heads[row]!.padEnd(width)}   ${spec.usage}${defaultText(spec)}\n`,
  );
  return lines.join("");
}
