/** Certificates for tests, made by openssl: an authority, a server for 127.0.0.1, a client named "alice". */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Certificates {
  readonly ca: Buffer;
  readonly server: KeyPair;
  readonly client: KeyPair;
}

interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files, for processes. */
export interface TlsFiles {
  readonly ca: string;
  readonly server: KeyPairFiles;
  readonly client: KeyPairFiles;
  /** An authority that none of the others knows, and those whom it vouches for. */
  readonly stranger: { readonly ca: string; readonly server: KeyPairFiles; readonly client: KeyPairFiles };
}

export async function writeTlsFiles(directory: string): Promise<TlsFiles> {
  const write = async (name: string, pem: Buffer): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, pem, { mode: 0o600 });
    return path;
  };
  const writePair = async (name: string, pair: KeyPair): Promise<KeyPairFiles> => ({
    cert: await write(`${name}.crt`, pair.cert),
    key: await write(`${name}.key`, pair.key),
  });
  const known = makeCertificates();
  const stranger = makeCertificates();
  return {
    ca: await write("ca.crt", known.ca),
    server: await writePair("server", known.server),
    client: await writePair("client", known.client),
    stranger: {
      ca: await write("stranger-ca.crt", stranger.ca),
      server: await writePair("stranger-server", stranger.server),
      client: await writePair("stranger-client", stranger.client),
    },
  };
}

export interface Authority {
  readonly ca: Buffer;
  /** Signs a certificate for "CN=<name>"; `extension` is a line of an openssl extension file. */
  issue(name: string, extension: string): KeyPair;
  /** A revocation list of these certificates, in PEM. */
  revoke(pairs: readonly KeyPair[]): Buffer;
  /** Removes its files. */
  close(): void;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "transport-tls-"));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { stdio: "ignore" });
  };
  const own = ["-keyout", at("ca.key"), "-out", at("ca.crt"), "-subj", "/CN=ca", "-days", "2"];
  openssl("req", "-x509", ...newKey, ...own);
  const settings = {
    database: at("index"),
    certificate: at("ca.crt"),
    private_key: at("ca.key"),
    default_md: "sha256",
    default_crl_days: "2",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(at("ca.cnf"), ["[ca]", "default_ca = own", "[own]", ...lines].join("\n"));
  writeFileSync(at("index"), "");
  let serial = 0;
  return {
    ca: readFileSync(at("ca.crt")),
    issue(name, extension) {
      const id = ++serial;
      writeFileSync(at("extension"), extension);
      const [key, crt] = [at(`${id}.key`), at(`${id}.crt`)];
      openssl("req", "-new", ...newKey, "-keyout", key, "-out", at("request"), "-subj", `/CN=${name}`);
      const signing = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-set_serial", String(id), "-days", "2"];
      openssl("x509", "-req", "-in", at("request"), ...signing, "-extfile", at("extension"), "-out", crt);
      return { cert: readFileSync(crt), key: readFileSync(key) };
    },
    revoke(pairs) {
      for (const { cert } of pairs) {
        writeFileSync(at("revoked"), cert);
        openssl("ca", "-config", at("ca.cnf"), "-revoke", at("revoked"));
      }
      openssl("ca", "-config", at("ca.cnf"), "-gencrl", "-out", at("crl"));
      return readFileSync(at("crl"));
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

export function makeCertificates(): Certificates {
  const authority = makeAuthority();
  try {
    const server = authority.issue("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
    const client = authority.issue("alice", "extendedKeyUsage=clientAuth");
    return { ca: authority.ca, server, client };
  } finally {
    authority.close();
  }
}
