/** `ETCD_NAME=…` in the environment sets `--name` where the command line does not. */
import type { LogFields, LogLevel } from "../../base/logger.js";
import { ConfigError } from "./config-error.js";
import { environmentName, flagsByName } from "./flag-table.js";
import type { FlagValues } from "./flag-values.js";

/** Something to log once the log is open, as its own settings come from the same sources. */
export interface Notice {
  readonly level: Extract<LogLevel, "info" | "warn">;
  readonly message: string;
  readonly fields: LogFields;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Sets what `environment` says in `values`, and says so. Values are not repeated for names that may hold
 * passwords. Throws ConfigError.
 */
export function applyEnvironment(environment: Environment, values: FlagValues): readonly Notice[] {
  const notices: Notice[] = [];
  const variables = new Map([...flagsByName.keys()].map((name) => [environmentName(name), name]));
  for (const variable of Object.keys(environment).sort()) {
    const text = environment[variable];
    if (!variable.startsWith("ETCD_") || text === undefined || text === "") continue;
    const name = variables.get(variable);
    if (name === undefined || name === "version") {
      notices.push(warning("unrecognized environment variable", variable));
      continue;
    }
    if (values.isGiven(name)) {
      notices.push(warning("environment variable is shadowed by the command-line flag", variable));
      continue;
    }
    setFromVariable(values, name, variable, text);
    const shown = name.includes("password") || name.includes("user") ? "(not shown)" : text;
    notices.push({
      level: "info",
      message: "recognized and used environment variable",
      fields: { "variable-name": variable, "variable-value": shown },
    });
  }
  return notices;
}

function setFromVariable(values: FlagValues, name: string, variable: string, text: string): void {
  try {
    values.set(name, text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`invalid value ${JSON.stringify(text)} for ${variable}: ${error.message}`);
  }
}

function warning(message: string, variable: string): Notice {
  return { level: "warn", message, fields: { "environment-variable": variable } };
}
