/** Certificates for tests, made by openssl: an authority, a server for 127.0.0.1, a client named "alice". */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
