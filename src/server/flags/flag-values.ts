/**
 * The values of all flags while they are gathered from defaults, command line, environment or file. Each text is
 * checked when it is set, so that the error names the place that it came from.
 */
import { assert } from "../../base/assert.js";
import { ConfigError } from "./config-error.js";
import { parseDurationMs } from "./duration.js";
import { type FeatureGates, parseFeatureGates } from "./feature-gates.js";
import type { FlagSpec } from "./flag-spec.js";
import { flagsByName } from "./flag-table.js";
import { parseBool, parseInteger } from "./go-values.js";
import { parseServerUrls, type ServerUrl } from "./urls.js";

export type FlagValue = string | boolean | number | readonly string[] | readonly ServerUrl[] | FeatureGates;

export class FlagValues {
  private readonly values = new Map<string, FlagValue>();
  private readonly given = new Set<string>();

  constructor() {
    for (const spec of flagsByName.values())
      this.values.set(spec.name, parseFlagText(spec, spec.defaultText));
  }

  /** Sets a flag from the text of the command line, environment or file. Throws ConfigError with the bare reason. */
  set(name: string, text: string): void {
    const spec = flagsByName.get(name);
    assert(spec !== undefined, `flag ${name} is in the table`);
    this.given.add(name);
    // etcd takes an empty list of URLs for "not set", so that scripts can pass an empty variable.
    if (spec.kind === "urls" && text === "") return;
    this.values.set(name, parseFlagText(spec, text));
  }

  /** True where the flag was set, even to its default. */
  isGiven(name: string): boolean {
    return this.given.has(name);
  }

  /** Names that were set, in sorted order. */
  givenNames(): readonly string[] {
    return [...this.given].sort();
  }

  text(name: string): string {
    const value = this.get(name);
    assert(typeof value === "string", `flag ${name} is a text`);
    return value;
  }

  bool(name: string): boolean {
    const value = this.get(name);
    assert(typeof value === "boolean", `flag ${name} is a boolean`);
    return value;
  }

  /** Integers as they are, durations in milliseconds. */
  number(name: string): number {
    const value = this.get(name);
    assert(typeof value === "number", `flag ${name} is a number`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.get(name);
    assert(Array.isArray(value), `flag ${name} is a list`);
    return value as readonly string[];
  }

  urls(name: string): readonly ServerUrl[] {
    const value = this.get(name);
    assert(Array.isArray(value), `flag ${name} is a list of URLs`);
    return value as readonly ServerUrl[];
  }

  features(): FeatureGates {
    return this.get("feature-gates") as FeatureGates;
  }

  private get(name: string): FlagValue {
    const value = this.values.get(name);
    assert(value !== undefined, `flag ${name} is in the table`);
    return value;
  }
}

function parseFlagText(spec: FlagSpec, text: string): FlagValue {
  switch (spec.kind) {
    case "string":
    case "ignored":
      return text;
    case "choice":
      if (!spec.choices!.includes(text)) throw new ConfigError("invalid value");
      return text;
    case "bool":
      return parseBool(text) ?? failed("parse error");
    case "int":
    case "uint":
    case "uint32": {
      const value = parseInteger(text, spec.kind);
      return typeof value === "number" ? value : failed(value);
    }
    case "duration":
      return parseDurationMs(text) ?? failed("parse error");
    case "strings":
      return splitList(text);
    case "uniqueStrings":
      return [...new Set(splitList(text))].sort();
    case "urls":
      return text === "" ? [] : uniqueUrls(text);
    case "origins":
      return text === "" || text === "*" ? ["*"] : uniqueUrls(text).map((url) => url.text);
    case "featureGates":
      return parseFeatureGates(text);
  }
}

function failed(reason: string): never {
  throw new ConfigError(reason);
}

function splitList(text: string): readonly string[] {
  return text === "" ? [] : text.split(",").map((item) => item.trim());
}

function uniqueUrls(text: string): readonly ServerUrl[] {
  const urls = parseServerUrls(text.split(","));
  return urls.filter((url, at) => at === 0 || urls[at - 1]!.text !== url.text);
}
