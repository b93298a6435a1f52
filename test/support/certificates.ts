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

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "transport-tls-"));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { stdio: "ignore" });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const issue = (name: string, extension: string): KeyPair => {
    writeFileSync(at("extension"), extension);
    openssl(
      "req",
      "-new",
      ...newKey,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at("request"),
      "-subj",
      `/CN=${name}`,
    );
    const signing = [
      "-CA",
      at("ca.crt"),
      "-CAkey",
      at("ca.key"),
      "-set_serial",
      String(name.length),
      "-days",
      "2",
    ];
    openssl(
      "x509",
      "-req",
      "-in",
      at("request"),
      ...signing,
      "-extfile",
      at("extension"),
      "-out",
      at(`${name}.crt`),
    );
    return { cert: readFileSync(at(`${name}.crt`)), key: readFileSync(at(`${name}.key`)) };
  };
  try {
    openssl(
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      at("ca.key"),
      "-out",
      at("ca.crt"),
      "-subj",
      "/CN=ca",
      "-days",
      "2",
    );
    const server = issue("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
    const client = issue("alice", "extendedKeyUsage=clientAuth");
    return { ca: readFileSync(at("ca.crt")), server, client };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
