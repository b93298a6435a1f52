/**
 * Which of the certificates that an authority signed are let in, by etcd's rules: its common name or a host name in
 * it is among the allowed ones, it is not revoked, and one of a member belongs to the address that it comes from.
 */
import type { X509Certificate } from "node:crypto";
import { lookup, reverse } from "node:dns/promises";
import { isIP } from "node:net";
import { WatchedFiles } from "./file-watch.js";
import type { TlsConfig } from "./flags/server-config.js";
import { parseRevocationList } from "./revocation-list.js";

/** A chain has a few; this ends one that is its own issuer in a circle. */
const chainLengthMax = 10;

/** How names and addresses are found; tests have their own. */
export interface Resolver {
  /** Names of an address. */
  reverse(address: string): Promise<readonly string[]>;
  /** Addresses of a name. */
  lookup(name: string): Promise<readonly string[]>;
}

export const systemResolver: Resolver = {
  reverse,
  lookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
};

/** True where the lists name no one, or name the owner of `certificate`. */
export function isAllowed(
  certificate: X509Certificate,
  lists: Pick<TlsConfig, "allowedCommonNames" | "allowedHostnames">,
): boolean {
  const { allowedCommonNames, allowedHostnames } = lists;
  if (allowedCommonNames.length === 0 && allowedHostnames.length === 0) return true;
  const names: string | readonly string[] | undefined = certificate.toLegacyObject().subject?.CN;
  // Of several Go takes the last.
  const commonName = typeof names === "object" ? names.at(-1) : names;
  if (commonName !== undefined && allowedCommonNames.includes(commonName)) return true;
  return allowedHostnames.some((name) => isForHost(certificate, name));
}

export const notAllowedText = "client certificate authentication failed";

export class Admission {
  private readonly revoked: WatchedFiles<ReadonlySet<bigint>> | undefined;

  constructor(
    private readonly tls: TlsConfig,
    private readonly options: { readonly checksAddress: boolean },
    private readonly deps: { readonly resolver: Resolver },
  ) {
    const { crlFile } = tls;
    this.revoked =
      crlFile === "" ? undefined : new WatchedFiles([crlFile], ([bytes]) => parseRevocationList(bytes!));
  }

  /** Reads what it needs. Errors: those of the file system; Error where the revocation list is none. */
  check(): void {
    this.revoked?.read();
  }

  /**
   * Rejects with the reason, in etcd's words, where the owner of `certificate` is not let in. A revocation list that
   * can not be read lets in nobody.
   */
  async admit(certificate: X509Certificate, remoteAddress: string): Promise<void> {
    if (!isAllowed(certificate, this.tls)) throw new Error(notAllowedText);
    this.checkRevocation(certificate);
    if (this.options.checksAddress) {
      await checkAddress(certificate, remoteAddress.replace(/^::ffff:/, ""), this.deps.resolver);
    }
  }

  private checkRevocation(leaf: X509Certificate): void {
    if (this.revoked === undefined) return;
    const revoked = this.revoked.read().value;
    let certificate: X509Certificate | undefined = leaf;
    for (let depth = 0; certificate !== undefined && depth < chainLengthMax; depth++) {
      const { serialNumber } = certificate;
      if (revoked.has(BigInt(`0x${serialNumber}`))) {
        throw new Error(`transport: certificate serial ${serialNumber.toLowerCase()} revoked`);
      }
      certificate = certificate.issuerCertificate;
    }
  }
}

/** As Go's VerifyHostname: the names and addresses of the certificate count, never its common name. */
function isForHost(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  return certificate.checkHost(host, { subject: "never", partialWildcards: false }) !== undefined;
}

/** A certificate that names hosts or addresses is only good from one of them; one without any, from anywhere. */
async function checkAddress(
  certificate: X509Certificate,
  address: string,
  resolver: Resolver,
): Promise<void> {
  const { addresses, names } = alternativeNames(certificate);
  if (addresses.length === 0 && names.length === 0) return;
  if (addresses.length > 0) {
    if (certificate.checkIP(address) !== undefined) return;
    if (names.length === 0) {
      throw new Error(`x509: certificate is valid for ${addresses.join(", ")}, not ${address}`);
    }
  }
  // A name server that does not answer proves nothing.
  const found = await resolver.reverse(address).catch((): string[] => []);
  if (found.some((name) => isAmong(name.replace(/\.$/, ""), names))) return;
  for (const name of names) {
    if (name.startsWith("*.")) continue;
    if ((await resolver.lookup(name).catch((): string[] => [])).includes(address)) return;
  }
  const quoted = names.map((name) => JSON.stringify(name)).join(" ");
  throw new Error(`tls: ${JSON.stringify(address)} does not match any of DNSNames [${quoted}]`);
}

function isAmong(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : name === pattern,
  );
}

/** Entries that Node.js puts in quotes hold what no host name has: they match nothing. */
function alternativeNames(certificate: X509Certificate): {
  readonly addresses: readonly string[];
  readonly names: readonly string[];
} {
  const addresses: string[] = [];
  const names: string[] = [];
  const entries = /(?:^|, )(DNS|IP Address|[A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;
  for (const [, kind, value] of (certificate.subjectAltName ?? "").matchAll(entries)) {
    if (kind === "DNS") names.push(value!);
    else if (kind === "IP Address") addresses.push(value!);
  }
  return { addresses, names };
}
