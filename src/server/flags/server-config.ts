/** Everything that one member is told at start: checked, immutable, in our units. Times are in milliseconds. */
import type { LogLevel } from "../../base/logger.js";
import type { FeatureGates } from "./feature-gates.js";
import type { ServerUrl } from "./urls.js";

/** Paths are "" where they were not given. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** For connections that this member makes itself; "": certFile and keyFile serve for that too. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  readonly crlFile: string;
  readonly clientCertAuth: boolean;
  /** Empty: any. */
  readonly allowedCommonNames: readonly string[];
  readonly allowedHostnames: readonly string[];
  /** Make a certificate at start when none is given. */
  readonly autoTls: boolean;
  readonly skipClientSanVerification: boolean;
}

export interface TlsPolicy {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Undefined: the highest that Node.js has. */
  readonly maxVersion: "TLSv1.2" | "TLSv1.3" | undefined;
  /** OpenSSL's names; empty: Node.js's choice. */
  readonly ciphers: readonly string[];
  readonly selfSignedValidityYears: number;
}

export interface LogRotation {
  readonly sizeBytesMax: number;
  /** 0: no limit. */
  readonly ageDaysMax: number;
  /** 0: no limit. */
  readonly backupsMax: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "json" | "console";
  /** "stderr", "stdout" or file paths; empty discards everything. */
  readonly outputs: readonly string[];
  /** Applies to the one file among the outputs. */
  readonly rotation: LogRotation | undefined;
}

/** Used only while the member has no data yet. */
export interface BootstrapConfig {
  /** As given: "name=url,name=url"; bootstrap/initial-cluster.ts reads it. "" when DNS tells. */
  readonly initialCluster: string;
  readonly state: "new" | "existing";
  readonly token: string;
  /** Domain of SRV records, or "". */
  readonly discoverySrv: string;
  readonly discoverySrvName: string;
}

export type AutoCompaction =
  | { readonly mode: "off" }
  /** Keep the history of the last `retentionMs`. */
  | { readonly mode: "periodic"; readonly retentionMs: number }
  /** Keep the last `revisions` revisions. */
  | { readonly mode: "revision"; readonly revisions: number };

export interface AuthConfig {
  /** "simple", or "jwt,pub-key=…,sign-method=…". */
  readonly token: string;
  readonly bcryptCost: number;
  readonly tokenTtlSeconds: number;
}

export interface GrpcConfig {
  readonly requestBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepaliveMinTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

export interface HttpConfig {
  /** Serve the JSON form of the API. */
  readonly gateway: boolean;
  /** Origins for CORS; "*" among them means any. */
  readonly corsOrigins: readonly string[];
  /** Host names that plain requests may ask for; "*" among them, or an empty list, means any. */
  readonly hostWhitelist: readonly string[];
}

export interface RaftConfig {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Heartbeats in an election timeout. */
  readonly electionTicks: number;
  readonly initialElectionTickAdvance: boolean;
  readonly preVote: boolean;
  /** Applied entries after which the log is cut. */
  readonly snapshotCount: number;
  /** Entries that stay for slow followers when the log is cut. */
  readonly snapshotCatchUpEntries: number;
}

export interface ServerConfig {
  readonly name: string;
  readonly dataDir: string;
  /** Directory of the Raft log: `--wal-dir`, else member/wal in the data directory. */
  readonly walDir: string;

  readonly listenPeerUrls: readonly ServerUrl[];
  readonly listenClientUrls: readonly ServerUrl[];
  /** Not empty: HTTP is served here and the client URLs serve gRPC alone. */
  readonly listenClientHttpUrls: readonly ServerUrl[];
  readonly listenMetricsUrls: readonly ServerUrl[];
  readonly advertisePeerUrls: readonly ServerUrl[];
  readonly advertiseClientUrls: readonly ServerUrl[];

  readonly clientTls: TlsConfig;
  readonly peerTls: TlsConfig;
  readonly tlsPolicy: TlsPolicy;
  readonly bootstrap: BootstrapConfig;
  readonly raft: RaftConfig;
  readonly grpc: GrpcConfig;
  readonly http: HttpConfig;
  readonly auth: AuthConfig;
  readonly log: LogConfig;
  readonly features: FeatureGates;
  /** "extensive" adds histograms of gRPC calls to the metrics. */
  readonly metrics: "basic" | "extensive";

  readonly txnOpsMax: number;
  /** 0: no quota. */
  readonly quotaBytes: number;
  readonly learnersMax: number;
  readonly strictReconfigCheck: boolean;
  readonly forceNewCluster: boolean;
  readonly unsafeNoFsync: boolean;

  readonly autoCompaction: AutoCompaction;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  /** 0: never. */
  readonly corruptCheckMs: number;
  readonly compactHashCheckMs: number;
  readonly watchProgressNotifyMs: number;
  readonly warningApplyMs: number;
  readonly warningUnaryRequestMs: number;
  /** How long a request may wait: 5 s and two elections. */
  readonly requestTimeoutMs: number;
}
