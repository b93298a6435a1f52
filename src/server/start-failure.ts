/** Errors of a start in the words that operators of etcd search for. */
import { ConfigError } from "./flags/config-error.js";

const addressFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

/** An address that can not be listened on is named; everything else is given back as it is. */
export function describeStartFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return error;
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & {
    readonly address?: string;
    readonly port?: number;
  };
  const text = addressFailures[code ?? ""];
  if (text === undefined || (syscall !== "listen" && syscall !== "bind")) return error;
  if (port === undefined || port < 0) return new ConfigError(`listen unix ${address}: bind: ${text}`);
  const host = address?.includes(":") ? `[${address}]` : (address ?? "");
  return new ConfigError(`listen tcp ${host}:${port}: bind: ${text}`);
}
