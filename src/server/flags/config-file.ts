/**
 * The YAML file of `--config-file`. Keys are names of flags, besides two sections for TLS and one for sockets.
 * Durations are whole nanoseconds, as etcd reads them, or texts such as "10m". A key that nobody knows is an
 * error, since a mistyped setting that is silently left out is worse than a refused start.
 */
import { ConfigError } from "./config-error.js";
import type { Notice } from "./environment.js";
import { flagsByName } from "./flag-table.js";
import type { FlagValues } from "./flag-values.js";

/** Keys of etcd's sample file that stand for nothing any more, and one that the file never set. */
const legacyKeys = new Set([
  "discovery-fallback",
  "proxy",
  "proxy-failure-wait",
  "proxy-refresh-interval",
  "proxy-dial-timeout",
  "proxy-write-timeout",
  "proxy-read-timeout",
]);

const clientSecurityFlags: Readonly<Record<string, string>> = {
  "cert-file": "cert-file",
  "key-file": "key-file",
  "client-cert-file": "client-cert-file",
  "client-key-file": "client-key-file",
  "client-cert-auth": "client-cert-auth",
  "trusted-ca-file": "trusted-ca-file",
  "client-crl-file": "client-crl-file",
  "auto-tls": "auto-tls",
  "allowed-hostname": "client-cert-allowed-hostname",
};
const peerSecurityFlags: Readonly<Record<string, string>> = {
  "cert-file": "peer-cert-file",
  "key-file": "peer-key-file",
  "client-cert-file": "peer-client-cert-file",
  "client-key-file": "peer-client-key-file",
  "client-cert-auth": "peer-client-cert-auth",
  "trusted-ca-file": "peer-trusted-ca-file",
  "client-crl-file": "peer-crl-file",
  "auto-tls": "peer-auto-tls",
  "allowed-cn": "peer-cert-allowed-cn",
  "allowed-hostname": "peer-cert-allowed-hostname",
  "skip-client-san-verification": "peer-skip-client-san-verification",
};
const socketFlags: Readonly<Record<string, string>> = {
  "reuse-port": "socket-reuse-port",
  "reuse-address": "socket-reuse-address",
};
const sections: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map([
  ["client-transport-security", clientSecurityFlags],
  ["peer-transport-security", peerSecurityFlags],
  ["socket-options", socketFlags],
]);

/** Sets what the document (already parsed from YAML) says in `values`. Throws ConfigError. */
export function applyConfigDocument(document: unknown, values: FlagValues): readonly Notice[] {
  if (document === null || document === undefined) return [];
  if (!isMapping(document)) throw new ConfigError("the configuration file is not a mapping of settings");
  const notices: Notice[] = [];
  for (const [key, value] of Object.entries(document)) {
    const section = sections.get(key);
    if (section !== undefined) {
      applySection(key, section, value, values);
    } else if (legacyKeys.has(key)) {
      notices.push({ level: "warn", message: "setting has no effect", fields: { "config-file-key": key } });
    } else {
      applyKey(key, key, value, values);
    }
  }
  return notices;
}

function applySection(
  sectionName: string,
  flagNames: Readonly<Record<string, string>>,
  value: unknown,
  values: FlagValues,
): void {
  if (value === null) return;
  if (!isMapping(value)) throw new ConfigError(`invalid ${sectionName}`);
  for (const [key, inner] of Object.entries(value)) {
    const flagName = flagNames[key];
    if (flagName === undefined) throw unknownKey(`${sectionName}.${key}`);
    applyKey(`${sectionName}.${key}`, flagName, inner, values);
  }
}

function applyKey(shownKey: string, flagName: string, value: unknown, values: FlagValues): void {
  const spec = flagsByName.get(flagName);
  if (spec === undefined || spec.kind === "ignored" || flagName === "config-file" || flagName === "version") {
    throw unknownKey(shownKey);
  }
  if (value === null) return;
  const text = spec.kind === "duration" && typeof value === "number" ? `${value}ns` : scalarText(value);
  if (text === undefined) throw new ConfigError(`invalid value for ${shownKey} in the configuration file`);
  try {
    values.set(flagName, text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`invalid value ${JSON.stringify(text)} for ${shownKey}: ${error.message}`);
  }
}

function scalarText(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    return value.every((item) => typeof item === "string") ? value.join(",") : undefined;
  }
  return typeof value === "object" ? undefined : String(value);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unknownKey(key: string): ConfigError {
  return new ConfigError(`unknown setting ${JSON.stringify(key)} in the configuration file`);
}
