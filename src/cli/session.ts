/** What the global flags come to: endpoints, clients, deadlines, and the printer. */
import { readFileSync } from "node:fs";
import type { AuthOptions, CallOptions, QuorateClient, TlsOptions } from "../client/index.js";
import type { CliHost } from "./command.js";
import { badArguments, CliFailure, ExitCode } from "./failure.js";
import type { FlagValues } from "./flags.js";
import { applyEnvironment, environmentName, globalFlags } from "./global-flags.js";
import type { Printer } from "./printers/printer.js";

export interface Session {
  readonly endpoints: readonly string[];
  readonly printer: Printer;
  /** A client of `endpoints`, by default of those of the command line. Closed with the session. */
  client(endpoints?: readonly string[]): QuorateClient;
  /** What is left of --command-timeout, counted from the call of `startClock`. */
  startClock(): () => CallOptions;
  close(): Promise<void>;
}

export async function openSession(flags: FlagValues, host: CliHost): Promise<Session> {
  const shared = flags.specs.filter((spec) => globalFlags.includes(spec) || spec.name === "cluster");
  applyEnvironment(flags, shared, host);
  if (flags.bool("debug")) printSettings(flags, host);
  const endpoints = flags.strings("endpoints").map((endpoint) => endpoint.trim());
  const tls = readTls(flags);
  const auth = await readAuth(flags, host);
  const { loadPrinter } = await import("./printers/printer.js");
  const printer = await loadPrinter(flags.string("write-out"), flags.bool("hex"), (text) => host.out(text));
  const { connect } = await import("../client/index.js");
  const clients: QuorateClient[] = [];
  const commandTimeoutMs = flags.durationMs("command-timeout");
  return {
    endpoints,
    printer,
    client(own = endpoints) {
      if (own.length === 0)
        throw new CliFailure(ExitCode.BadConnection, "etcdclient: no available endpoints");
      const client = connect({
        endpoints: own,
        balance: "ordered",
        // A command waits for a connection as long as it may last at all.
        timeouts: {
          dialMs: Number.POSITIVE_INFINITY,
          callMs: commandTimeoutMs,
          authMs: flags.durationMs("dial-timeout"),
          keepaliveMs: flags.durationMs("keepalive-time"),
          keepaliveTimeoutMs: flags.durationMs("keepalive-timeout"),
        },
        tls,
        auth,
        sendBytesMax: positive(flags.int("max-request-bytes")),
        receiveBytesMax: positive(flags.int("max-recv-bytes")),
      });
      clients.push(client);
      return client;
    },
    startClock() {
      const endMs = Date.now() + commandTimeoutMs;
      return () => ({ timeoutMs: endMs - Date.now() });
    },
    async close() {
      for (const client of clients) await client.close();
    },
  };
}

function positive(value: bigint): number | undefined {
  return value > 0n ? Number(value) : undefined;
}

function printSettings(flags: FlagValues, host: CliHost): void {
  for (const spec of globalFlags) {
    const value =
      spec.kind === "strings" ? `[${flags.strings(spec.name).join(",")}]` : settingText(flags, spec);
    host.error(`${environmentName(spec.name)}=${value}\n`);
  }
}

function settingText(flags: FlagValues, spec: (typeof globalFlags)[number]): string {
  switch (spec.kind) {
    case "string":
      return flags.string(spec.name);
    case "bool":
      return String(flags.bool(spec.name));
    case "int":
      return String(flags.int(spec.name));
    case "duration":
      return `${flags.durationMs(spec.name)}ms`;
    case "strings":
      return flags.strings(spec.name).join(",");
  }
}

/** Settings for TLS, or undefined where endpoints without a scheme use plain TCP. */
function readTls(flags: FlagValues): TlsOptions | undefined {
  for (const name of ["cert", "key", "cacert"]) {
    if (flags.changed(name) && flags.string(name) === "") {
      throw badArguments(`empty string is passed to --${name} option`);
    }
  }
  const cert = flags.string("cert");
  const key = flags.string("key");
  const cacert = flags.string("cacert");
  if ((cert === "") !== (key === "")) {
    throw badArguments(`KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`);
  }
  const skipVerify = flags.bool("insecure-skip-tls-verify");
  const wanted = cert !== "" || cacert !== "" || skipVerify || !flags.bool("insecure-transport");
  if (!wanted) return undefined;
  return { certPem: readPem(cert), keyPem: readPem(key), caPem: readPem(cacert), skipVerify };
}

function readPem(path: string): Uint8Array | undefined {
  if (path === "") return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw badArguments(`open ${path}: ${fileErrorText(error)}`);
  }
}

/** The system's words for a failed file operation, as Go quotes them. */
export function fileErrorText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file or directory",
    EACCES: "permission denied",
    EISDIR: "is a directory",
    ENOTDIR: "not a directory",
    ENOSPC: "no space left on device",
    EROFS: "read-only file system",
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}

async function readAuth(flags: FlagValues, host: CliHost): Promise<AuthOptions | undefined> {
  const token = flags.string("auth-jwt-token");
  if (token !== "") return { token };
  const user = flags.string("user");
  if (user === "") return undefined;
  const password = flags.string("password");
  if (password !== "") return { user, password };
  const colon = user.indexOf(":");
  if (colon >= 0) return { user: user.slice(0, colon), password: user.slice(colon + 1) };
  const { askPassword } = await import("./ask-password.js");
  return { user, password: await askPassword(host, "Password: ") };
}
