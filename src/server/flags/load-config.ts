/** What a command line and an environment ask for: a member to run, a text to print, or an error. */
import { readFile } from "node:fs/promises";
import { buildServerConfig } from "./build-config.js";
import { ConfigError } from "./config-error.js";
import { applyConfigDocument } from "./config-file.js";
import { applyEnvironment, type Environment, type Notice } from "./environment.js";
import { flagsByName } from "./flag-table.js";
import { FlagValues } from "./flag-values.js";
import { parseArguments, UsageError } from "./parse-arguments.js";
import type { ServerConfig } from "./server-config.js";

export type LoadedConfig =
  | { readonly kind: "run"; readonly config: ServerConfig; readonly notices: readonly Notice[] }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** The command line can not be understood: print it with the usage, exit status 2. */
  | { readonly kind: "usageError"; readonly message: string }
  /** The settings do not hold: log it, exit status 1. */
  | { readonly kind: "invalid"; readonly message: string; readonly notices: readonly Notice[] };

export interface LoadSources {
  /** Without the names of interpreter and program. */
  readonly args: readonly string[];
  readonly environment: Environment;
  /** See BuildContext. */
  readonly defaultHost: string | undefined;
}

export async function loadConfig(sources: LoadSources): Promise<LoadedConfig> {
  const values = new FlagValues();
  const notices: Notice[] = [];
  try {
    const { help, rest } = parseArguments(sources.args, values);
    if (help) return { kind: "help" };
    if (rest.length > 0) throw new ConfigError(`${JSON.stringify(rest[0])} is not a valid flag`);
    if (values.bool("version")) return { kind: "version" };
    const path = values.text("config-file") || sources.environment.ETCD_CONFIG_FILE || "";
    const effective = path === "" ? values : new FlagValues();
    if (path === "") notices.push(...applyEnvironment(sources.environment, values));
    else notices.push(...(await applyConfigFile(path, effective)));
    notices.push(...inertNotices(effective));
    const context = { fromFile: path !== "", defaultHost: sources.defaultHost };
    const config = buildServerConfig(effective, context);
    notices.push(...adviceNotices(config, effective));
    return { kind: "run", config, notices };
  } catch (error) {
    if (error instanceof UsageError) return { kind: "usageError", message: error.message };
    if (error instanceof ConfigError) return { kind: "invalid", message: error.message, notices };
    throw error;
  }
}

async function applyConfigFile(path: string, values: FlagValues): Promise<readonly Notice[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`open ${path}: ${code === "ENOENT" ? "no such file or directory" : code}`);
  }
  // Most starts need no YAML, and it takes 20 ms to load.
  const { parse, YAMLParseError } = await import("yaml");
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (error instanceof YAMLParseError) throw new ConfigError(`${path}: ${error.message}`);
    throw error;
  }
  const loaded: Notice = {
    level: "info",
    message:
      "loaded server configuration, other configuration command line flags and environment variables will be ignored if provided",
    fields: { path },
  };
  return [loaded, ...applyConfigDocument(document, values)];
}

function inertNotices(values: FlagValues): readonly Notice[] {
  const notices: Notice[] = [];
  for (const name of values.givenNames()) {
    const reason = flagsByName.get(name)?.noEffect;
    if (reason === undefined) continue;
    notices.push({
      level: "warn",
      message: "flag is accepted but has no effect",
      fields: { flag: `--${name}`, reason },
    });
  }
  return notices;
}

function adviceNotices(config: ServerConfig, values: FlagValues): readonly Notice[] {
  const notices: Notice[] = [];
  if (config.name === "default") {
    notices.push({
      level: "warn",
      message: "it isn't recommended to use default name, please set a value for --name",
      fields: { name: config.name },
    });
  }
  if (values.text("data-dir") === "") {
    notices.push({
      level: "warn",
      message: "'data-dir' was empty; using default",
      fields: { "data-dir": config.dataDir },
    });
  }
  return notices;
}
