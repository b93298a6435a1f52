/** The TLS settings of the flags, as Node.js wants them. Files are read when a listener opens or a peer is dialed. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { TlsListenOptions } from "../transport/server-contract.js";
import { ConfigError } from "./flags/config-error.js";
import type { TlsConfig, TlsPolicy } from "./flags/server-config.js";

/** For a listener. Throws ConfigError where key or certificate are missing or can not be read. */
export function listenTls(
  tls: TlsConfig,
  policy: TlsPolicy,
  door: { readonly url: string; readonly endpoint: "client" | "peer" },
): TlsListenOptions {
  if (tls.autoTls)
    throw new ConfigError("certificates made by the server itself (auto-tls) are not supported yet");
  if (tls.certFile === "" || tls.keyFile === "") {
    throw new ConfigError(
      door.endpoint === "client"
        ? `TLS key/cert (--cert-file, --key-file) must be provided for client url ${door.url} with HTTPS scheme`
        : `cannot listen on TLS for ${door.url}: KeyFile and CertFile are not presented`,
    );
  }
  refuseUnsupported(tls);
  return {
    ...policyOptions(policy),
    cert: readPem(tls.certFile),
    key: readPem(tls.keyFile),
    ...(tls.trustedCaFile === "" ? {} : { ca: readPem(tls.trustedCaFile) }),
    requestCert: tls.clientCertAuth || tls.trustedCaFile !== "",
    rejectUnauthorized: tls.clientCertAuth || tls.trustedCaFile !== "",
  };
}

/** For a connection to another member. */
export function dialTls(
  tls: TlsConfig,
  policy: TlsPolicy,
  host: string,
): Pick<ConnectionOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized"> {
  const certFile = tls.clientCertFile === "" ? tls.certFile : tls.clientCertFile;
  const keyFile = tls.clientKeyFile === "" ? tls.keyFile : tls.clientKeyFile;
  return {
    ...policyOptions(policy),
    ...(certFile === "" ? {} : { cert: readPem(certFile), key: readPem(keyFile) }),
    ...(tls.trustedCaFile === "" ? {} : { ca: readPem(tls.trustedCaFile) }),
    // The name indication carries no addresses (RFC 6066, section 3); the certificate is checked against them anyway.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: true,
  };
}

/** A promise of safety that is not kept must not be made: better no start. */
function refuseUnsupported(tls: TlsConfig): void {
  const asked = [
    ["a revocation list (crl-file)", tls.crlFile !== ""],
    ["allowed common names", tls.allowedCommonNames.length > 0],
    ["allowed host names", tls.allowedHostnames.length > 0],
  ] as const;
  for (const [what, isAsked] of asked) {
    if (isAsked) throw new ConfigError(`checking client certificates against ${what} is not supported yet`);
  }
}

function policyOptions(policy: TlsPolicy) {
  return {
    minVersion: policy.minVersion,
    ...(policy.maxVersion === undefined ? {} : { maxVersion: policy.maxVersion }),
    ...(policy.ciphers.length === 0 ? {} : { ciphers: policy.ciphers.join(":") }),
  };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`cannot read ${path}: ${(error as Error).message}`);
  }
}
