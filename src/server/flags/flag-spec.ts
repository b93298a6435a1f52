/** What is known about one flag. The tables are in table/, one file per group of the help text. */

export type FlagKind =
  | "string"
  | "bool"
  /** Signed 64-bit integer. */
  | "int"
  /** Unsigned 64-bit integer. */
  | "uint"
  | "uint32"
  /** Go's notation: "1m30s", "100ms"; kept in milliseconds. */
  | "duration"
  /** Comma-separated texts in the order given. */
  | "strings"
  /** Comma-separated texts, sorted, each once. */
  | "uniqueStrings"
  /** Comma-separated URLs, sorted, each once. */
  | "urls"
  /** `*`, or comma-separated URLs of origins. */
  | "origins"
  /** One of `choices`. */
  | "choice"
  /** `Name=true,Name=false`. */
  | "featureGates"
  /** Of etcd 2 or older; accepted with or without a value, and never used. */
  | "ignored";

export interface FlagSpec {
  readonly name: string;
  readonly kind: FlagKind;
  /** As text, in the notation of the command line. */
  readonly defaultText: string;
  /** One line for the help text. */
  readonly help: string;
  /** Why setting it changes nothing here; such a flag is accepted with a warning. */
  readonly noEffect?: string;
  readonly choices?: readonly string[];
}

export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly FlagSpec[];
}

/** A flag that takes effect. */
export function flag(name: string, kind: FlagKind, defaultText: string, help: string): FlagSpec {
  return { name, kind, defaultText, help };
}

/** A flag that takes one of a few words. */
export function choiceFlag(
  name: string,
  choices: readonly string[],
  defaultText: string,
  help: string,
): FlagSpec {
  return { name, kind: "choice", choices, defaultText, help };
}

/** A flag that is accepted and changes nothing, for the reason given. */
export function inertFlag(name: string, kind: FlagKind, defaultText: string, noEffect: string): FlagSpec {
  return { name, kind, defaultText, help: `Accepted for compatibility: ${noEffect}.`, noEffect };
}
