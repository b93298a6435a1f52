/** The flags that every command takes, and their environment variables. */
import type { CliHost } from "./command.js";
import { CliExit, ExitCode } from "./failure.js";
import type { FlagSpec, FlagValues } from "./flags.js";

const text = (name: string, usage: string): FlagSpec => ({ name, kind: "string", default: "", usage });
const duration = (name: string, seconds: number, usage: string): FlagSpec => {
  return { name, kind: "duration", default: seconds * 1_000, defaultText: `${seconds}s`, usage };
};

export const globalFlags: readonly FlagSpec[] = [
  text("auth-jwt-token", "token to authenticate with, instead of --user and --password"),
  text("cacert", "file with the authorities (PEM) that server certificates are checked against"),
  text("cert", "file with the certificate (PEM) that this client shows to servers"),
  duration("command-timeout", 5, "longest time for a command that is not a stream"),
  { name: "debug", kind: "bool", default: false, usage: "print the settings in use on standard error" },
  duration("dial-timeout", 2, "longest time to wait for an authentication token"),
  { name: "endpoints", kind: "strings", default: ["127.0.0.1:2379"], usage: "addresses of cluster members" },
  { name: "hex", kind: "bool", default: false, usage: "print keys, values and ids in hexadecimal" },
  {
    name: "insecure-skip-tls-verify",
    kind: "bool",
    default: false,
    usage: "accept any server certificate (for tests only)",
  },
  {
    name: "insecure-transport",
    kind: "bool",
    default: true,
    usage: "plain TCP for endpoints that do not say http or https",
  },
  duration("keepalive-time", 2, "ping a silent connection after this time (10s at least)"),
  duration("keepalive-timeout", 6, "give a connection up when a ping stays unanswered for this time"),
  text("key", "file with the private key (PEM) of --cert"),
  { name: "max-recv-bytes", kind: "int", default: 0n, usage: "largest answer in bytes (0: no limit)" },
  { name: "max-request-bytes", kind: "int", default: 0n, usage: "largest request in bytes (0: 2 MiB)" },
  text("password", "password of --user"),
  text("user", "name[:password] to authenticate with (asks for a password that is not given)"),
  {
    name: "write-out",
    short: "w",
    kind: "string",
    default: "simple",
    usage: "output format (fields, json, protobuf, simple, table)",
  },
];

const prefix = "ETCDCTL_";

export function environmentName(flagName: string): string {
  return prefix + flagName.toUpperCase().replaceAll("-", "_");
}

/**
 * Takes ETCDCTL_… for `specs` that the command line left alone. As in etcdctl, a variable that a flag contradicts ends
 * the command, one that cannot be read is passed over, one that no flag has is warned of (except ETCDCTL_API,
 * which older tools wanted).
 */
export function applyEnvironment(flags: FlagValues, specs: readonly FlagSpec[], host: CliHost): void {
  const byName = new Map(specs.map((spec) => [environmentName(spec.name), spec]));
  for (const [name, value] of Object.entries(host.environment)) {
    if (value === undefined || !name.startsWith(prefix) || name === `${prefix}API`) continue;
    const spec = byName.get(name);
    if (spec !== undefined && flags.changed(spec.name)) {
      const message =
        "conflicting environment variable is shadowed by corresponding command-line flag " +
        "(either unset environment variable or disable flag))";
      log(host, "fatal", message, { "environment-variable": name });
      throw new CliExit(ExitCode.Error);
    }
    if (spec === undefined || value === "") {
      log(host, "warn", "unrecognized environment variable", { "environment-variable": `${name}=${value}` });
      continue;
    }
    try {
      flags.set(spec, value);
    } catch {
      // etcdctl drops the error too: the flag keeps its default.
    }
  }
}

/** One log line on standard error, in the form of the server's. */
export function log(
  host: CliHost,
  level: "info" | "warn" | "fatal",
  message: string,
  fields: Readonly<Record<string, string>>,
): void {
  const ts = new Date().toISOString().replace("Z", "000Z");
  host.error(`${JSON.stringify({ level, ts, caller: "cli", msg: message, ...fields })}\n`);
}
