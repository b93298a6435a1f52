/** Who is let in by TLS, and with which certificates. If these fail, the wrong ones come in, or a renewal needs a restart. */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../src/base/logger.js";
import { ConfigError } from "../../src/server/flags/config-error.js";
import type { TlsConfig } from "../../src/server/flags/server-config.js";
import { parseRevocationList } from "../../src/server/revocation-list.js";
import { dialTls, listenTls } from "../../src/server/tls.js";
import { Admission, type Resolver } from "../../src/server/tls-admission.js";
import { connectGrpc, type GrpcChannel } from "../../src/transport/http2/client.js";
import { type Authority, type KeyPair, makeAuthority } from "../support/certificates.js";
import { startServer, type TestServer } from "../transport/support.js";

const folder = mkdtempSync(join(tmpdir(), "server-tls-"));
const path = (name: string): string => join(folder, name);
const policy = {
  minVersion: "TLSv1.2",
  maxVersion: undefined,
  ciphers: [],
  selfSignedValidityYears: 1,
} as const;
const nobody: Resolver = { reverse: async () => [], lookup: async () => [] };
const localhost = "subjectAltName=IP:127.0.0.1,DNS:localhost";

let authority: Authority;
let server: KeyPair;
let alice: KeyPair;
let bob: KeyPair;

beforeAll(() => {
  authority = makeAuthority();
  server = authority.issue("server", localhost);
  alice = authority.issue("alice", "extendedKeyUsage=clientAuth");
  bob = authority.issue("bob", "subjectAltName=DNS:bob.example.org");
  writeFileSync(path("ca.crt"), authority.ca);
});
afterAll(() => {
  authority.close();
  rmSync(folder, { recursive: true });
});

function writePair(pair: KeyPair, name = "server"): void {
  writeFileSync(path(`${name}.crt`), pair.cert);
  writeFileSync(path(`${name}.key`), pair.key);
}

function tlsConfig(change: Partial<TlsConfig> = {}): TlsConfig {
  return {
    certFile: path("server.crt"),
    keyFile: path("server.key"),
    clientCertFile: "",
    clientKeyFile: "",
    trustedCaFile: path("ca.crt"),
    crlFile: "",
    clientCertAuth: true,
    allowedCommonNames: [],
    allowedHostnames: [],
    autoTls: false,
    skipClientSanVerification: false,
    ...change,
  };
}

const x509 = (pair: KeyPair): X509Certificate => new X509Certificate(pair.cert);

function admission(change: Partial<TlsConfig>, checksAddress = false, resolver = nobody): Admission {
  return new Admission(tlsConfig(change), { checksAddress }, { resolver });
}

describe("the address that a member's certificate comes from", () => {
  const admit = (extension: string, address: string, resolver: Partial<Resolver> = {}): Promise<void> =>
    admission({}, true, { ...nobody, ...resolver }).admit(x509(authority.issue("m", extension)), address);
  const silent = async (): Promise<never> => {
    throw new Error("no name server");
  };

  test("is one of its own; IPv4 in IPv6 counts as IPv4; a certificate without any is good everywhere", async () => {
    await admit("subjectAltName=IP:10.0.0.1,IP:10.0.0.2", "10.0.0.2");
    await admit("subjectAltName=IP:10.0.0.1", "::ffff:10.0.0.1");
    await admit("subjectAltName=IP:fd00::1", "fd00::1");
    await admit("keyUsage=digitalSignature", "10.9.9.9");
  });

  test("has one of its names, or is an address of one", async () => {
    const names = "subjectAltName=DNS:a.example.org,DNS:*.b.example.org";
    await admit(names, "10.0.0.9", { reverse: async () => ["a.example.org."] });
    await admit(names, "10.0.0.9", { reverse: async () => ["x.b.example.org"] });
    const lookup = async (name: string) => (name === "a.example.org" ? ["10.0.0.8", "10.0.0.9"] : []);
    await admit(names, "10.0.0.9", { lookup, reverse: silent });
    await admit(`${names},IP:10.0.0.1`, "10.0.0.9", { lookup });
  });

  test("else it is refused, in etcd's words, also when no name server answers", async () => {
    await expect(admit("subjectAltName=IP:10.0.0.1", "10.0.0.2")).rejects.toThrow(
      "x509: certificate is valid for 10.0.0.1, not 10.0.0.2",
    );
    const names = "subjectAltName=DNS:a.example.org";
    const text = 'tls: "10.0.0.2" does not match any of DNSNames ["a.example.org"]';
    await expect(admit(names, "10.0.0.2", { reverse: async () => ["xa.example.org"] })).rejects.toThrow(text);
    await expect(admit(names, "10.0.0.2", { reverse: silent, lookup: silent })).rejects.toThrow(text);
    await expect(
      admit("subjectAltName=DNS:*.b.example.org", "10.0.0.2", { reverse: async () => ["b.example.org"] }),
    ).rejects.toThrow("does not match");
  });
});

describe("lists of allowed names", () => {
  const refused = "client certificate authentication failed";

  test("common names", async () => {
    const names = admission({ allowedCommonNames: ["carol", "alice"] });
    await names.admit(x509(alice), "127.0.0.1");
    await expect(names.admit(x509(bob), "127.0.0.1")).rejects.toThrow(refused);
    const disguised = authority.issue("mallory/O=CN=alice", "keyUsage=digitalSignature");
    await expect(names.admit(x509(disguised), "127.0.0.1")).rejects.toThrow(refused);
  });

  test("host names and addresses count where the certificate is for them, not its common name", async () => {
    const hosts = admission({ allowedHostnames: ["bob.example.org", "127.0.0.1", "alice"] });
    await hosts.admit(x509(bob), "10.0.0.1");
    await hosts.admit(x509(server), "10.0.0.1");
    await expect(hosts.admit(x509(alice), "127.0.0.1")).rejects.toThrow(refused);
  });

  test("both at once is a mistake that ends the start", () => {
    writePair(server);
    const both = tlsConfig({ allowedCommonNames: ["a"], allowedHostnames: ["b", "c"] });
    const door = { url: "https://127.0.0.1:1", endpoint: "peer" } as const;
    expect(() => listenTls(both, policy, door, { log: silentLogger, resolver: nobody })).toThrow(
      'AllowedCNs and AllowedHostnames are mutually exclusive (cns=["a"], hostnames=["b" "c"])',
    );
  });
});

describe("revocation lists", () => {
  test("name certificates by serial number, in PEM and DER", () => {
    const pem = authority.revoke([authority.issue("x", localhost)]);
    const der = Buffer.from(pem.toString().replace(/-----[^-]*-----/g, ""), "base64");
    for (const bytes of [pem, der]) expect(parseRevocationList(bytes).size).toBeGreaterThan(0);
    expect(parseRevocationList(pem)).toEqual(parseRevocationList(der));
  });

  test("of any damage are refused with an Error and nothing else", () => {
    const pem = authority.revoke([alice]);
    const der = Buffer.from(pem.toString().replace(/-----[^-]*-----/g, ""), "base64");
    expect(parseRevocationList(der).has(BigInt(`0x${x509(alice).serialNumber}`))).toBe(true);
    for (let length = 0; length < der.length; length++) {
      expect(() => parseRevocationList(der.subarray(0, length))).toThrow("x509: malformed crl");
    }
    for (let at = 0; at < der.length; at++) {
      const damaged = Buffer.from(der);
      damaged[at]! ^= 0xff;
      try {
        parseRevocationList(damaged);
      } catch (error) {
        expect((error as Error).message).toBe("x509: malformed crl");
      }
    }
  });

  test("are read again when they change; one that is gone lets in nobody", async () => {
    const carol = authority.issue("carol", "extendedKeyUsage=clientAuth");
    const dave = authority.issue("dave", "extendedKeyUsage=clientAuth");
    writeFileSync(path("crl"), authority.revoke([carol]));
    const checked = admission({ crlFile: path("crl") });
    await expect(checked.admit(x509(carol), "127.0.0.1")).rejects.toThrow(
      `transport: certificate serial ${x509(carol).serialNumber.toLowerCase()} revoked`,
    );
    await checked.admit(x509(dave), "127.0.0.1");
    writeFileSync(path("crl"), authority.revoke([dave]));
    await expect(checked.admit(x509(dave), "127.0.0.1")).rejects.toThrow("revoked");
    rmSync(path("crl"));
    await expect(checked.admit(x509(bob), "127.0.0.1")).rejects.toThrow("ENOENT");
  });
});

describe("a listener", () => {
  let running: TestServer | undefined;
  let lines: { text: string; error: unknown }[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_caller, text, fields) => lines.push({ text, error: fields?.error }),
  };
  afterEach(async () => {
    await running?.close();
    lines = [];
  });

  async function listen(endpoint: "client" | "peer", change: Partial<TlsConfig> = {}): Promise<void> {
    const door = { url: "https://127.0.0.1:1", endpoint };
    const tls = listenTls(tlsConfig(change), policy, door, { log, resolver: nobody });
    running = await startServer({ tls, endpoint }, log);
  }

  /** What the server says, through a call: the handshake alone tells a client of TLS 1.3 nothing. */
  async function call(who: KeyPair): Promise<GrpcChannel> {
    const channel = await connectGrpc({
      host: "127.0.0.1",
      port: running!.port,
      tls: { ca: authority.ca, ...who },
      receiveBytesMax: 1024,
      connectTimeoutMs: 5_000,
      keepaliveIntervalMs: 60_000,
      keepaliveTimeoutMs: 10_000,
    });
    await channel.unary("/test.Test/Echo", Buffer.from("hello"), { timeoutMs: 5_000, metadata: {} });
    return channel;
  }

  function shownCertificate(): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port: running!.port, host: "127.0.0.1", ca: authority.ca, ...alice });
      socket.on("error", reject);
      socket.on("secureConnect", () => {
        resolve(socket.getPeerX509Certificate()!.serialNumber);
        socket.destroy();
      });
    });
  }

  test("shows a renewed certificate at the next connection, and the old one while the new pair is not whole", async () => {
    writePair(server);
    await listen("client");
    const open = await call(alice);
    expect(await shownCertificate()).toBe(x509(server).serialNumber);
    const renewed = authority.issue("server", localhost);
    writeFileSync(path("server.crt"), renewed.cert);
    expect(await shownCertificate()).toBe(x509(server).serialNumber);
    expect(lines.map(({ text }) => text)).toContain("failed to read new certificates");
    writeFileSync(path("server.key"), renewed.key);
    expect(await shownCertificate()).toBe(x509(renewed).serialNumber);
    await open.unary("/test.Test/Echo", Buffer.from("still"), { timeoutMs: 5_000, metadata: {} });
    open.close();
  });

  test("trusts a new authority, and no more the old one, once the file says so", async () => {
    writePair(server);
    await listen("client");
    (await call(alice)).close();
    const other = makeAuthority();
    try {
      const stranger = other.issue("alice", "extendedKeyUsage=clientAuth");
      await expect(call(stranger)).rejects.toThrow();
      writeFileSync(path("ca.crt"), other.ca);
      (await call(stranger)).close();
      await expect(call(alice)).rejects.toThrow();
    } finally {
      other.close();
      writeFileSync(path("ca.crt"), authority.ca);
    }
  });

  test.each(["client", "peer"] as const)("for a %s refuses revoked certificates", async (endpoint) => {
    writePair(server);
    const revoked = authority.issue("revoked", "extendedKeyUsage=clientAuth");
    writeFileSync(path("crl"), authority.revoke([revoked]));
    await listen(endpoint, { crlFile: path("crl") });
    (await call(server)).close();
    await expect(call(revoked)).rejects.toThrow();
    const refusals = lines.filter(({ text }) => text === `rejected connection on ${endpoint} endpoint`);
    expect(refusals.map(({ error }) => String(error)).join()).toMatch(
      /transport: certificate serial \w+ revoked/,
    );
  });

  test("for members looks at the address, unless it is told not to; for clients it does not", async () => {
    writePair(server);
    await listen("peer");
    await expect(call(bob)).rejects.toThrow();
    expect(String(lines.at(-1)?.error)).toContain('"127.0.0.1" does not match any of DNSNames');
    (await call(server)).close();
    await running!.close();
    await listen("peer", { skipClientSanVerification: true });
    (await call(bob)).close();
    await running!.close();
    await listen("client");
    (await call(bob)).close();
  });

  test("does not start without its files, or with a revocation list that is none", async () => {
    writePair(server);
    await expect(listen("client", { certFile: path("none") })).rejects.toThrow(ConfigError);
    writeFileSync(path("crl"), "no list");
    await expect(listen("client", { crlFile: path("crl") })).rejects.toThrow("x509: malformed crl");
  });
});

test("a member dials only members whose certificates have an allowed name", async () => {
  writePair(server);
  const running = await startServer({
    tls: listenTls(
      tlsConfig(),
      policy,
      { url: "", endpoint: "client" },
      { log: silentLogger, resolver: nobody },
    ),
  });
  writePair(alice, "alice");
  const dial = (allowedCommonNames: readonly string[]): Promise<GrpcChannel> => {
    const tls = tlsConfig({
      clientCertFile: path("alice.crt"),
      clientKeyFile: path("alice.key"),
      allowedCommonNames,
    });
    return connectGrpc({
      host: "127.0.0.1",
      port: running.port,
      tls: dialTls(tls, policy, "127.0.0.1"),
      receiveBytesMax: 1024,
      connectTimeoutMs: 5_000,
      keepaliveIntervalMs: 60_000,
      keepaliveTimeoutMs: 10_000,
    });
  };
  (await dial(["server"])).close();
  await expect(dial(["other"])).rejects.toThrow("client certificate authentication failed");
  await running.close();
});
