/** The settings of the log. */
import { type LogLevel, logLevels } from "../../base/logger.js";
import { ConfigError } from "./config-error.js";
import type { FlagValues } from "./flag-values.js";
import type { LogConfig, LogRotation } from "./server-config.js";

/** What is logged with before, or without, a good configuration. */
export const defaultLogConfig: LogConfig = {
  level: "info",
  format: "json",
  outputs: ["stderr"],
  rotation: undefined,
};

/** Throws ConfigError. */
export function buildLogConfig(values: FlagValues): LogConfig {
  const logger = values.text("logger");
  if (logger === "capnslog") throw new ConfigError("--logger=capnslog is removed in v3.5");
  if (logger !== "zap") throw new ConfigError(`unknown logger option ${JSON.stringify(logger)}`);
  const given = values.list("log-outputs").length === 0 ? ["default"] : values.list("log-outputs");
  if (given.length > 1 && given.includes("default")) {
    throw new ConfigError('multi logoutput for "default" is not supported yet');
  }
  const format = values.text("log-format");
  const level = values.text("log-level");
  const rotation = values.bool("enable-log-rotation")
    ? buildRotation(given, values.text("log-rotation-config-json"))
    : undefined;
  if (format !== "json" && format !== "console") {
    throw new ConfigError(`unknown log format: ${format}, supported values json, console`);
  }
  if (!isLogLevel(level)) throw new ConfigError(`unknown log level: ${level}`);
  return { level, format, outputs: resolveOutputs(given), rotation };
}

/** systemd collects a service's stderr into its journal, so the journal is stderr. */
function resolveOutputs(given: readonly string[]): readonly string[] {
  if (given.includes("/dev/null")) return [];
  const outputs = given.map((output) =>
    output === "default" || output === "systemd/journal" ? "stderr" : output,
  );
  return [...new Set(outputs)];
}

function buildRotation(outputs: readonly string[], json: string): LogRotation {
  const files = outputs.filter((output) => !["default", "stderr", "stdout"].includes(output));
  if (files.length !== 1) {
    throw new ConfigError(
      "--log-outputs requires a single file path when --log-rotate-config-json is defined",
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new ConfigError(`improperly formatted log rotation config: ${(error as Error).message}`);
  }
  const fields = (parsed ?? {}) as Readonly<Record<string, unknown>>;
  return {
    sizeBytesMax: (rotationNumber(fields, "maxsize") || 100) * 1024 * 1024,
    ageDaysMax: rotationNumber(fields, "maxage"),
    backupsMax: rotationNumber(fields, "maxbackups"),
  };
}

function rotationNumber(fields: Readonly<Record<string, unknown>>, key: string): number {
  const value = fields[key] ?? 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new ConfigError(`invalid log rotation config: ${key} is not a whole number`);
  }
  return value;
}

function isLogLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}
