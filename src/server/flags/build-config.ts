/** From the values of flags to a ServerConfig, with etcd's checks in etcd's order. */
import { join } from "node:path";
import { openSslCipherNames } from "./cipher-suites.js";
import { ConfigError } from "./config-error.js";
import { formatDurationMs, parseDurationMs } from "./duration.js";
import type { FlagValues } from "./flag-values.js";
import { buildLogConfig } from "./log-config.js";
import type { AutoCompaction, RaftConfig, ServerConfig, TlsConfig, TlsPolicy } from "./server-config.js";
import { checkAdvertisedUrls, checkListenUrls, type ServerUrl, urlTexts } from "./urls.js";

const defaultInitialCluster = "default=http://localhost:2380";
const defaultAdvertisePeer = "http://localhost:2380";
const defaultAdvertiseClient = "http://localhost:2379";
const electionMsMax = 50_000;
const quotaBytesDefault = 2 * 1024 ** 3;

export interface BuildContext {
  /** Settings came from a file: an unset advertise URL then keeps its default. */
  readonly fromFile: boolean;
  /** Address to advertise for a member that listens on every interface, or undefined. */
  readonly defaultHost: string | undefined;
}

/** Throws ConfigError with etcd's text for the first setting that does not hold. */
export function buildServerConfig(values: FlagValues, context: BuildContext): ServerConfig {
  const log = buildLogConfig(values);
  checkUrls(values, context);
  checkDiscovery(values);
  const raft = buildRaft(values);
  if (!context.fromFile && values.isGiven("listen-client-urls") && !values.isGiven("advertise-client-urls")) {
    throw new ConfigError("--advertise-client-urls is required when --listen-client-urls is set explicitly");
  }
  const autoCompaction = buildAutoCompaction(values);
  if (values.number("compact-hash-check-time") <= 0) {
    const given = formatDurationMs(values.number("compact-hash-check-time"));
    throw new ConfigError(`--compact-hash-check-time must be >0 (set to ${given})`);
  }
  const tlsPolicy = buildTlsPolicy(values);
  const name = values.text("name");
  const dataDir = values.text("data-dir") || `${name}.etcd`;
  const advertisePeerUrls = advertised(values, context, "peer");
  return {
    name,
    dataDir,
    walDir: values.text("wal-dir") || join(dataDir, "member", "wal"),
    listenPeerUrls: values.urls("listen-peer-urls"),
    listenClientUrls: values.urls("listen-client-urls"),
    listenClientHttpUrls: values.urls("listen-client-http-urls"),
    listenMetricsUrls: values.urls("listen-metrics-urls"),
    advertisePeerUrls,
    advertiseClientUrls: advertised(values, context, "client"),
    clientTls: buildClientTls(values),
    peerTls: buildPeerTls(values),
    tlsPolicy,
    bootstrap: {
      initialCluster: initialCluster(values, name, advertisePeerUrls),
      state: values.text("initial-cluster-state") === "new" ? "new" : "existing",
      token: values.text("initial-cluster-token"),
      discoverySrv: values.text("discovery-srv"),
      discoverySrvName: values.text("discovery-srv-name"),
    },
    raft,
    grpc: {
      requestBytesMax: values.number("max-request-bytes"),
      concurrentStreamsMax: values.number("max-concurrent-streams"),
      keepaliveMinTimeMs: values.number("grpc-keepalive-min-time"),
      keepaliveIntervalMs: values.number("grpc-keepalive-interval"),
      keepaliveTimeoutMs: values.number("grpc-keepalive-timeout"),
    },
    http: {
      gateway: values.bool("enable-grpc-gateway"),
      corsOrigins: values.list("cors"),
      hostWhitelist: values.list("host-whitelist"),
    },
    auth: {
      token: values.text("auth-token"),
      bcryptCost: values.number("bcrypt-cost"),
      tokenTtlSeconds: values.number("auth-token-ttl"),
    },
    log,
    features: values.features(),
    metrics: values.text("metrics") === "extensive" ? "extensive" : "basic",
    txnOpsMax: values.number("max-txn-ops"),
    quotaBytes: quotaBytes(values.number("quota-backend-bytes")),
    learnersMax: values.number("max-learners"),
    strictReconfigCheck: values.bool("strict-reconfig-check"),
    forceNewCluster: values.bool("force-new-cluster"),
    unsafeNoFsync: values.bool("unsafe-no-fsync"),
    autoCompaction,
    ...buildIntervals(values),
    requestTimeoutMs: 5_000 + 2 * raft.electionTicks * raft.heartbeatMs,
  };
}

/** How often and how long: everything that is only handed on. */
function buildIntervals(values: FlagValues) {
  return {
    compactionBatchLimit: values.number("compaction-batch-limit"),
    compactionSleepMs: values.number("compaction-sleep-interval"),
    corruptCheckMs: values.number("corrupt-check-time"),
    compactHashCheckMs: values.number("compact-hash-check-time"),
    watchProgressNotifyMs: values.number("watch-progress-notify-interval"),
    warningApplyMs: values.number("warning-apply-duration"),
    warningUnaryRequestMs: values.number("warning-unary-request-duration"),
  };
}

function checkUrls(values: FlagValues, context: BuildContext): void {
  for (const name of [
    "listen-peer-urls",
    "listen-client-urls",
    "listen-client-http-urls",
    "listen-metrics-urls",
  ]) {
    checkListenUrls(values.urls(name));
  }
  const peerUrls = advertised(values, context, "peer");
  checkAdvertisedUrls(peerUrls, (reason) => {
    const shown = JSON.stringify(urlTexts(peerUrls).join(","));
    return `--initial-advertise-peer-urls ${shown} must be "host:port" (${reason})`;
  });
  const clientUrls = advertised(values, context, "client");
  checkAdvertisedUrls(clientUrls, (reason) => {
    const shown = JSON.stringify(urlTexts(clientUrls).join(","));
    const formats = '"host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"';
    return `--advertise-client-urls ${shown} must be in the format ${formats} (${reason})`;
  });
}

/** Ways to found a cluster exclude each other; those that need another etcd are not offered, and said so. */
function checkDiscovery(values: FlagValues): void {
  if (values.text("discovery-fallback") === "proxy") {
    throw new ConfigError('v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"');
  }
  const ways = [
    values.isGiven("initial-cluster") && values.text("initial-cluster") !== "",
    values.text("discovery-srv") !== "",
    values.list("discovery-endpoints").length > 0,
  ];
  if (ways.filter((way) => way).length > 1) {
    throw new ConfigError(
      "multiple discovery or bootstrap flags are set. " +
        'Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    );
  }
  if (values.list("discovery-endpoints").length > 0 || values.text("discovery-token") !== "") {
    throw new ConfigError(
      "--discovery-endpoints and --discovery-token are not supported; use --initial-cluster or --discovery-srv",
    );
  }
  if (values.text("discovery") !== "" || values.text("discovery-proxy") !== "") {
    throw new ConfigError(
      "--discovery and --discovery-proxy are of etcd 2 and not supported; use --initial-cluster or --discovery-srv",
    );
  }
}

function buildRaft(values: FlagValues): RaftConfig {
  const heartbeatMs = values.number("heartbeat-interval");
  const electionMs = values.number("election-timeout");
  if (heartbeatMs === 0) throw new ConfigError("--heartbeat-interval must be >0 (set to 0ms)");
  if (electionMs === 0) throw new ConfigError("--election-timeout must be >0 (set to 0ms)");
  if (5 * heartbeatMs > electionMs) {
    throw new ConfigError(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`,
    );
  }
  if (electionMs > electionMsMax) {
    throw new ConfigError(
      `--election-timeout[${electionMs}ms] is too long, and should be set less than ${electionMsMax}ms`,
    );
  }
  return {
    heartbeatMs,
    electionMs,
    electionTicks: Math.floor(electionMs / heartbeatMs),
    initialElectionTickAdvance: values.bool("initial-election-tick-advance"),
    preVote: values.bool("pre-vote"),
    snapshotCount: values.number("snapshot-count"),
    snapshotCatchUpEntries: values.number("snapshot-catchup-entries"),
  };
}

function buildAutoCompaction(values: FlagValues): AutoCompaction {
  const mode = values.text("auto-compaction-mode");
  if (mode === "") throw new ConfigError("undefined auto-compaction-mode");
  if (mode !== "periodic" && mode !== "revision") {
    throw new ConfigError(`unknown auto-compaction-mode ${JSON.stringify(mode)}`);
  }
  const text = values.text("auto-compaction-retention") || "0";
  const count = /^\d+$/.test(text) ? Number(text) : undefined;
  if (mode === "revision" && count !== undefined) {
    return count === 0 ? { mode: "off" } : { mode, revisions: count };
  }
  const retentionMs = count === undefined ? parseDurationMs(text) : count * 3_600_000;
  if (mode === "revision" || retentionMs === undefined || retentionMs < 0) {
    throw new ConfigError(
      `error parsing CompactionRetention: time: invalid duration ${JSON.stringify(text)}`,
    );
  }
  return retentionMs === 0 ? { mode: "off" } : { mode, retentionMs };
}

function buildTlsPolicy(values: FlagValues): TlsPolicy {
  const minVersion = tlsVersion(values.text("tls-min-version")) ?? "TLSv1.2";
  const maxVersion = tlsVersion(values.text("tls-max-version"));
  if (maxVersion !== undefined && minVersion > maxVersion) {
    const [min, max] = [values.text("tls-min-version"), values.text("tls-max-version")];
    throw new ConfigError(`min version (${min}) is greater than max version (${max})`);
  }
  const suites = values.list("cipher-suites");
  if (minVersion === "TLSv1.3" && suites.length > 0) {
    throw new ConfigError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  return {
    minVersion,
    maxVersion,
    ciphers: openSslCipherNames(suites),
    selfSignedValidityYears: values.number("self-signed-cert-validity") || 1,
  };
}

function tlsVersion(text: string): "TLSv1.2" | "TLSv1.3" | undefined {
  if (text === "") return undefined;
  if (text === "TLS1.2") return "TLSv1.2";
  if (text === "TLS1.3") return "TLSv1.3";
  throw new ConfigError(`unexpected TLS version ${JSON.stringify(text)} (must be one of: TLS1.2, TLS1.3)`);
}

function buildClientTls(values: FlagValues): TlsConfig {
  return {
    certFile: values.text("cert-file"),
    keyFile: values.text("key-file"),
    clientCertFile: values.text("client-cert-file"),
    clientKeyFile: values.text("client-key-file"),
    trustedCaFile: values.text("trusted-ca-file"),
    crlFile: values.text("client-crl-file"),
    clientCertAuth: values.bool("client-cert-auth"),
    allowedCommonNames: [],
    allowedHostnames: values.list("client-cert-allowed-hostname"),
    autoTls: values.bool("auto-tls"),
    skipClientSanVerification: false,
  };
}

function buildPeerTls(values: FlagValues): TlsConfig {
  return {
    certFile: values.text("peer-cert-file"),
    keyFile: values.text("peer-key-file"),
    clientCertFile: values.text("peer-client-cert-file"),
    clientKeyFile: values.text("peer-client-key-file"),
    trustedCaFile: values.text("peer-trusted-ca-file"),
    crlFile: values.text("peer-crl-file"),
    clientCertAuth: values.bool("peer-client-cert-auth"),
    allowedCommonNames: values.list("peer-cert-allowed-cn"),
    allowedHostnames: values.list("peer-cert-allowed-hostname"),
    autoTls: values.bool("peer-auto-tls"),
    skipClientSanVerification: values.bool("peer-skip-client-san-verification"),
  };
}

/** `--quota-backend-bytes` 0 stands for etcd's default, a negative one for none; ours is 0 for none. */
function quotaBytes(given: number): number {
  if (given === 0) return quotaBytesDefault;
  return Math.max(given, 0);
}

/**
 * A member that advertises the default "localhost" but listens on every interface means the machine's address,
 * with the port that it listens on.
 */
function advertised(
  values: FlagValues,
  context: BuildContext,
  side: "peer" | "client",
): readonly ServerUrl[] {
  const urls = values.urls(side === "peer" ? "initial-advertise-peer-urls" : "advertise-client-urls");
  const listen = values.urls(side === "peer" ? "listen-peer-urls" : "listen-client-urls")[0];
  const byDefault = side === "peer" ? defaultAdvertisePeer : defaultAdvertiseClient;
  const [only] = urls;
  if (context.defaultHost === undefined || listen?.host !== "0.0.0.0") return urls;
  if (urls.length !== 1 || only!.text !== byDefault) return urls;
  const { defaultHost: host } = context;
  return [{ scheme: "http", host, port: listen.port, text: `http://${host}:${listen.port}` }];
}

/** A member that was given a name alone founds a cluster of itself. */
function initialCluster(values: FlagValues, name: string, advertisePeerUrls: readonly ServerUrl[]): string {
  const given = values.text("initial-cluster");
  if (
    values.text("discovery-srv") !== "" &&
    (!values.isGiven("initial-cluster") || given === defaultInitialCluster)
  ) {
    return "";
  }
  if (name === "default" || given !== defaultInitialCluster) return given;
  return advertisePeerUrls.map((url) => `${name}=${url.text}`).join(",");
}
