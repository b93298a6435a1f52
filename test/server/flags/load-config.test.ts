import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Environment } from "../../../src/server/flags/environment.js";
import { type LoadedConfig, loadConfig } from "../../../src/server/flags/load-config.js";
import type { ServerConfig } from "../../../src/server/flags/server-config.js";
import { urlTexts } from "../../../src/server/flags/urls.js";
import { makeTempDir, type TempDir } from "../../support/temp-dir.js";

function load(args: readonly string[], environment: Environment = {}): Promise<LoadedConfig> {
  return loadConfig({ args, environment, defaultHost: "192.0.2.7" });
}

async function configOf(args: readonly string[], environment: Environment = {}): Promise<ServerConfig> {
  const loaded = await load(args, environment);
  if (loaded.kind !== "run") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

async function mistakeOf(args: readonly string[], environment: Environment = {}): Promise<string> {
  const loaded = await load(args, environment);
  if (loaded.kind !== "invalid") throw new Error(JSON.stringify(loaded.kind));
  return loaded.message;
}

async function warningsOf(
  args: readonly string[],
  environment: Environment = {},
): Promise<readonly string[]> {
  const loaded = await load(args, environment);
  if (loaded.kind !== "run") throw new Error(JSON.stringify(loaded));
  return loaded.notices
    .filter(({ level }) => level === "warn")
    .map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);
}

describe("defaults are etcd's", () => {
  test("without any flag", async () => {
    const config = await configOf([]);
    expect(config).toMatchObject({
      name: "default",
      dataDir: "default.etcd",
      walDir: join("default.etcd", "member", "wal"),
      quotaBytes: 2 * 1024 ** 3,
      txnOpsMax: 128,
      learnersMax: 1,
      autoCompaction: { mode: "off" },
      requestTimeoutMs: 7_000,
      raft: { heartbeatMs: 100, electionMs: 1_000, electionTicks: 10, preVote: true, snapshotCount: 10_000 },
      grpc: { requestBytesMax: 1_572_864, keepaliveIntervalMs: 7_200_000 },
      bootstrap: { initialCluster: "default=http://localhost:2380", state: "new", token: "etcd-cluster" },
      log: { level: "info", format: "json", outputs: ["stderr"] },
      http: { gateway: true, corsOrigins: ["*"], hostWhitelist: ["*"] },
    });
    expect(urlTexts(config.advertiseClientUrls)).toEqual(["http://localhost:2379"]);
  });

  test("a name alone founds a cluster of one, in a directory of that name", async () => {
    const config = await configOf(["--name=m1", "--initial-advertise-peer-urls=http://127.0.0.1:5"]);
    expect(config.dataDir).toBe("m1.etcd");
    expect(config.bootstrap.initialCluster).toBe("m1=http://127.0.0.1:5");
  });

  test("a member that listens everywhere advertises the machine's address", async () => {
    const config = await configOf(["--name=m1", "--listen-peer-urls=http://0.0.0.0:2390"]);
    expect(urlTexts(config.advertisePeerUrls)).toEqual(["http://192.0.2.7:2390"]);
    expect(config.bootstrap.initialCluster).toBe("m1=http://192.0.2.7:2390");
  });

  test("a quota of 0 is the default, a negative one is none", async () => {
    expect((await configOf(["--quota-backend-bytes=-1"])).quotaBytes).toBe(0);
    expect((await configOf(["--quota-backend-bytes=4096"])).quotaBytes).toBe(4096);
  });

  test.each([
    [["--auto-compaction-retention=1"], { mode: "periodic", retentionMs: 3_600_000 }],
    [["--auto-compaction-retention=10m"], { mode: "periodic", retentionMs: 600_000 }],
    [
      ["--auto-compaction-mode=revision", "--auto-compaction-retention=1000"],
      { mode: "revision", revisions: 1000 },
    ],
  ])("%j", async (args, expected) => {
    expect((await configOf(args)).autoCompaction).toEqual(expected);
  });
});

describe("settings that do not hold are refused in etcd's words", () => {
  test.each([
    [
      ["--listen-client-urls=http://127.0.0.1:1"],
      "--advertise-client-urls is required when --listen-client-urls is set explicitly",
    ],
    [
      ["--election-timeout=100"],
      "--election-timeout[100ms] should be at least as 5 times as --heartbeat-interval[100ms]",
    ],
    [
      ["--election-timeout=60000"],
      "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
    ],
    [["--heartbeat-interval=0"], "--heartbeat-interval must be >0 (set to 0ms)"],
    [["--auto-compaction-mode=x"], 'unknown auto-compaction-mode "x"'],
    [["--auto-compaction-retention=abc"], 'error parsing CompactionRetention: time: invalid duration "abc"'],
    [["--logger=capnslog"], "--logger=capnslog is removed in v3.5"],
    [["--log-format=foo"], "unknown log format: foo, supported values json, console"],
    [["--tls-min-version=1"], 'unexpected TLS version "1" (must be one of: TLS1.2, TLS1.3)'],
    [
      ["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"],
      "min version (TLS1.3) is greater than max version (TLS1.2)",
    ],
    [
      ["--discovery-fallback=proxy"],
      'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"',
    ],
    [["--compact-hash-check-time=0s"], "--compact-hash-check-time must be >0 (set to 0s)"],
    [["--log-outputs=default,a.log"], 'multi logoutput for "default" is not supported yet'],
    [["foo"], '"foo" is not a valid flag'],
    [["--config-file=/nonexistent"], "open /nonexistent: no such file or directory"],
    [
      ["--discovery-srv=a.example", "--initial-cluster=m1=http://localhost:1"],
      'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    ],
  ])("%j", async (args, message) => {
    expect(await mistakeOf(args)).toBe(message);
  });

  test("a cluster is never founded alone because its discovery was left out", async () => {
    expect(await mistakeOf(["--discovery=http://x/1"])).toContain("not supported");
    expect(await mistakeOf(["--discovery-endpoints=a:1", "--discovery-token=t"])).toContain("not supported");
  });
});

describe("the environment", () => {
  test("sets what the command line does not, and a flag wins over it", async () => {
    const environment = { ETCD_NAME: "env", ETCD_PRE_VOTE: "false", ETCD_WAL_DIR: "" };
    const config = await configOf(["--name=flag"], environment);
    expect(config.name).toBe("flag");
    expect(config.raft.preVote).toBe(false);
    expect(await warningsOf(["--name=flag"], environment)).toContain(
      'environment variable is shadowed by the command-line flag {"environment-variable":"ETCD_NAME"}',
    );
  });

  test("a misspelt variable is told, and its value is not repeated", async () => {
    const warnings = await warningsOf(["--name=m1", "--data-dir=d"], { ETCD_NAMME: "secret", OTHER: "x" });
    expect(warnings).toEqual(['unrecognized environment variable {"environment-variable":"ETCD_NAMME"}']);
  });

  test("a value that can not be read names its variable", async () => {
    expect(await mistakeOf([], { ETCD_ELECTION_TIMEOUT: "x" })).toBe(
      'invalid value "x" for ETCD_ELECTION_TIMEOUT: parse error',
    );
  });
});

test("a flag that can not apply here is accepted with a warning that says why", async () => {
  const warnings = await warningsOf(["--name=m1", "--data-dir=d", "--backend-batch-limit=5"]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("--backend-batch-limit");
  expect(warnings[0]).toContain("LevelDB");
});

test("help and version are recognised among other flags", async () => {
  expect(await load(["--name=m1", "--version"])).toEqual({ kind: "version" });
  expect(await load(["--help"])).toEqual({ kind: "help" });
  expect(await load(["--nope"])).toEqual({
    kind: "usageError",
    message: "flag provided but not defined: -nope",
  });
});

describe("a configuration file", () => {
  let directory: TempDir;
  beforeAll(async () => {
    directory = await makeTempDir("config-file");
  });
  afterAll(() => directory.remove());

  async function file(text: string): Promise<string> {
    const path = join(directory.path, "etcd.conf.yml");
    await writeFile(path, text);
    return `--config-file=${path}`;
  }

  test("is the only source: flags and environment beside it are not looked at", async () => {
    const argument = await file("name: file\n");
    const config = await configOf([argument, "--name=flag"], { ETCD_NAME: "env", ETCD_PRE_VOTE: "x" });
    expect(config.name).toBe("file");
    const viaEnvironment = await configOf([], { ETCD_CONFIG_FILE: argument.slice("--config-file=".length) });
    expect(viaEnvironment.name).toBe("file");
  });

  test("has the keys of etcd's sample file", async () => {
    const argument = await file(sampleFile);
    const config = await configOf([argument]);
    expect(config).toMatchObject({
      name: "m1",
      dataDir: "m1.etcd",
      log: { level: "debug", outputs: ["stderr"] },
      raft: { snapshotCount: 10_000 },
      strictReconfigCheck: false,
      peerTls: { certFile: "peer.crt", allowedCommonNames: ["a", "b"], clientCertAuth: true },
      clientTls: { certFile: "", autoTls: true },
      autoCompaction: { mode: "periodic", retentionMs: 3_600_000 },
      watchProgressNotifyMs: 600_000,
      tlsPolicy: { ciphers: ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"] },
    });
    expect(urlTexts(config.listenClientUrls)).toEqual(["http://127.0.0.1:3", "http://localhost:3"]);
  });

  test("keeps the default client URL where only the listening one is given", async () => {
    const config = await configOf([await file("listen-client-urls: http://127.0.0.1:3\n")]);
    expect(urlTexts(config.advertiseClientUrls)).toEqual(["http://localhost:2379"]);
  });

  test.each([
    ["nme: x\n", 'unknown setting "nme" in the configuration file'],
    [
      "peer-transport-security: {certfile: x}\n",
      'unknown setting "peer-transport-security.certfile" in the configuration file',
    ],
    ["peer-transport-security: x\n", "invalid peer-transport-security"],
    ["heartbeat-interval: fast\n", 'invalid value "fast" for heartbeat-interval: parse error'],
    ["name: {a: b}\n", "invalid value for name in the configuration file"],
    ["- a\n", "the configuration file is not a mapping of settings"],
    ["config-file: other.yml\n", 'unknown setting "config-file" in the configuration file'],
  ])("%j is refused", async (text, message) => {
    expect(await mistakeOf([await file(text)])).toBe(message);
  });

  test("that is no YAML is refused", async () => {
    expect(await mistakeOf([await file("name: [\n")])).toContain("etcd.conf.yml");
  });

  test("that is empty gives the defaults", async () => {
    expect((await configOf([await file("")])).name).toBe("default");
  });
});

const sampleFile = `
name: 'm1'
data-dir:
wal-dir:
snapshot-count: 10000
quota-backend-bytes: 0
listen-client-urls: http://localhost:3, http://127.0.0.1:3
advertise-client-urls: http://localhost:2379
cors:
discovery:
discovery-fallback: 'proxy'
proxy: 'off'
proxy-failure-wait: 5000
strict-reconfig-check: false
enable-pprof: true
client-transport-security:
  cert-file:
  auto-tls: true
peer-transport-security:
  cert-file: peer.crt
  client-cert-auth: true
  allowed-cn: [a, b]
self-signed-cert-validity: 1
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
watch-progress-notify-interval: 600000000000
cipher-suites: [
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
]
tls-min-version: 'TLS1.2'
tls-max-version: 'TLS1.3'
`;
