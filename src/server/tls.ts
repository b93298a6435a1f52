/** The TLS settings of the flags, as Node.js wants them. Files are read before each connection, if they changed. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import type { Logger } from "../base/logger.js";
import type { TlsListenOptions } from "../transport/server-contract.js";
import { WatchedFiles } from "./file-watch.js";
import { ConfigError } from "./flags/config-error.js";
import type { TlsConfig, TlsPolicy } from "./flags/server-config.js";
import { Admission, isAllowed, notAllowedText, type Resolver } from "./tls-admission.js";

export interface Door {
  readonly url: string;
  readonly endpoint: "client" | "peer";
}

/**
 * For a listener. Its files are looked at before each connection and read again when they changed, so that
 * certificates are renewed without a restart; a pair that does not fit, as in the middle of a renewal, is left for
 * the next connection. Throws ConfigError where a file is missing or can not be read.
 */
export function listenTls(
  tls: TlsConfig,
  policy: TlsPolicy,
  door: Door,
  deps: { readonly log: Logger; readonly resolver: Resolver },
): TlsListenOptions {
  checkFlags(tls, door);
  const { certFile, keyFile, trustedCaFile } = tls;
  const paths = trustedCaFile === "" ? [certFile, keyFile] : [certFile, keyFile, trustedCaFile];
  const files = new WatchedFiles(paths, ([cert, key, ca]) => {
    const options = { ...policyOptions(policy), cert: cert!, key: key!, ...(ca === undefined ? {} : { ca }) };
    createSecureContext(options);
    return options;
  });
  const asksForCertificate = tls.clientCertAuth || trustedCaFile !== "";
  const checksAddress = door.endpoint === "peer" && !tls.skipClientSanVerification;
  const admission = new Admission(tls, { checksAddress }, deps);
  const first = readForStart(() => {
    admission.check();
    return files.read().value;
  });
  const refreshed = (): SecureContextOptions | undefined => {
    try {
      const { value, changed } = files.read();
      if (changed) deps.log.info("server/tls", "read new certificates", { "cert-file": certFile });
      return changed ? value : undefined;
    } catch (error) {
      deps.log.warn("server/tls", "failed to read new certificates", {
        "cert-file": certFile,
        "key-file": keyFile,
        error: (error as Error).message,
      });
      return undefined;
    }
  };
  const admit = async (socket: TLSSocket): Promise<void> => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate !== undefined) await admission.admit(certificate, socket.remoteAddress ?? "");
  };
  const requestCert = asksForCertificate;
  return { ...first, requestCert, rejectUnauthorized: asksForCertificate, refreshed, admit };
}

function checkFlags(tls: TlsConfig, door: Door): void {
  if (tls.autoTls)
    throw new ConfigError("certificates made by the server itself (auto-tls) are not supported yet");
  if (tls.certFile === "" || tls.keyFile === "") {
    throw new ConfigError(
      door.endpoint === "client"
        ? `TLS key/cert (--cert-file, --key-file) must be provided for client url ${door.url} with HTTPS scheme`
        : `cannot listen on TLS for ${door.url}: KeyFile and CertFile are not presented`,
    );
  }
  const { allowedCommonNames: names, allowedHostnames: hosts } = tls;
  if (names.length > 0 && hosts.length > 0) {
    throw new ConfigError(
      `AllowedCNs and AllowedHostnames are mutually exclusive (cns=${goList(names)}, hostnames=${goList(hosts)})`,
    );
  }
}

/** A list as Go's %q prints it. */
function goList(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(" ")}]`;
}

function readForStart<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new ConfigError(`cannot use the TLS files: ${(error as Error).message}`);
  }
}

/** For a connection to another member. */
export function dialTls(
  tls: TlsConfig,
  policy: TlsPolicy,
  host: string,
): Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "servername" | "rejectUnauthorized" | "checkServerIdentity"
> {
  const certFile = tls.clientCertFile === "" ? tls.certFile : tls.clientCertFile;
  const keyFile = tls.clientKeyFile === "" ? tls.keyFile : tls.clientKeyFile;
  return {
    ...policyOptions(policy),
    ...(certFile === "" ? {} : { cert: readPem(certFile), key: readPem(keyFile) }),
    ...(tls.trustedCaFile === "" ? {} : { ca: readPem(tls.trustedCaFile) }),
    // The name indication carries no addresses (RFC 6066, section 3); the certificate is checked against them anyway.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: true,
    // As in etcd the lists of allowed names hold for both directions.
    checkServerIdentity: (name, certificate) => {
      const wrongHost = checkServerIdentity(name, certificate);
      if (wrongHost !== undefined) return wrongHost;
      return isAllowed(new X509Certificate(certificate.raw), tls) ? undefined : new Error(notAllowedText);
    },
  };
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
