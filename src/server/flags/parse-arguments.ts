/**
 * The command line in the grammar of Go's flag package: `--flag=value`, `--flag value`, one dash or two, a bare
 * boolean is true, `--` and the first word that is no flag end it. The last one of equal flags wins.
 */
import { ConfigError } from "./config-error.js";
import type { FlagSpec } from "./flag-spec.js";
import { flagsByName } from "./flag-table.js";
import type { FlagValues } from "./flag-values.js";
import { splitOnce } from "./go-values.js";

/** The command line can not be understood; printed with the usage text, and the process ends with status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface ParsedArguments {
  /** `--help` or `-h` was met; what follows it was not looked at. */
  readonly help: boolean;
  /** Words after the flags. */
  readonly rest: readonly string[];
}

/** Sets what `args` (without program name) say in `values`. Throws UsageError. */
export function parseArguments(args: readonly string[], values: FlagValues): ParsedArguments {
  let at = 0;
  while (at < args.length) {
    const argument = args[at]!;
    if (argument.length < 2 || !argument.startsWith("-")) break;
    at++;
    if (argument === "--") break;
    const body = argument.replace(/^--?/, "");
    if (/^[-=]/.test(body)) throw new UsageError(`bad flag syntax: ${argument}`);
    const [name, inlineValue] = splitOnce(body, "=");
    const spec = flagsByName.get(name);
    if (spec === undefined) {
      if (name === "help" || name === "h") return { help: true, rest: [] };
      throw new UsageError(`flag provided but not defined: -${name}`);
    }
    if (isSwitch(spec)) {
      setFlag(values, spec, inlineValue ?? "true");
      continue;
    }
    if (inlineValue === undefined && at >= args.length) {
      throw new UsageError(`flag needs an argument: -${name}`);
    }
    setFlag(values, spec, inlineValue ?? args[at++]!);
  }
  return { help: false, rest: args.slice(at) };
}

function isSwitch(spec: FlagSpec): boolean {
  return spec.kind === "bool" || spec.kind === "ignored";
}

function setFlag(values: FlagValues, spec: FlagSpec, text: string): void {
  try {
    values.set(spec.name, text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const place = spec.kind === "bool" ? "boolean value" : "value";
    const target = spec.kind === "bool" ? `-${spec.name}` : `flag -${spec.name}`;
    throw new UsageError(`invalid ${place} ${JSON.stringify(text)} for ${target}: ${error.message}`);
  }
}
