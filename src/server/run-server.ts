/** The life of a server process: settings, log, data directory, member, signals, exit status. */
import { etcdVersion, quorateVersion } from "../base/version.js";
import { startServer } from "./compose.js";
import { prepareDataDir } from "./data-dir.js";
import { findDefaultHost } from "./default-host.js";
import { startFailpoints } from "./failpoint-server.js";
import { processEffects } from "./failpoints.js";
import type { Notice } from "./flags/environment.js";
import { flagsText, usageText } from "./flags/help.js";
import { loadConfig } from "./flags/load-config.js";
import { defaultLogConfig } from "./flags/log-config.js";
import type { ServerConfig } from "./flags/server-config.js";
import { urlTexts } from "./flags/urls.js";
import { garbageCollector, startIdleCollector } from "./idle-collector.js";
import { type LogWriter, openLogWriter } from "./log-writer.js";
import { ExitStatus, guardProcess, ProcessLife } from "./process-life.js";
import { describeStartFailure } from "./start-failure.js";
import { architectureName, versionText } from "./version-text.js";

// Requests and entries are a few hundred bytes: a larger pool makes one allocation of many.
Buffer.poolSize = 64 * 1024;

/** Runs a member until it is told to stop. `args` are flags, without the names of interpreter and program. */
export async function runServer(args: readonly string[]): Promise<void> {
  const loaded = await loadConfig({ args, environment: process.env, defaultHost: findDefaultHost() });
  switch (loaded.kind) {
    case "help":
      process.stdout.write(`${usageText}${flagsText()}`);
      return;
    case "version":
      process.stdout.write(versionText());
      return;
    case "usageError":
      process.stderr.write(`${loaded.message}\n${usageText}\n`);
      process.exitCode = ExitStatus.usage;
      return;
    case "invalid": {
      const log = openLogWriter(defaultLogConfig);
      logNotices(log, loaded.notices);
      log.info("server/main", "Running: ", { args });
      log.warn("server/main", "failed to verify flags", { error: loaded.message });
      log.flush();
      process.exitCode = ExitStatus.failure;
      return;
    }
    case "run":
      return runMember(args, loaded.config, loaded.notices);
  }
}

async function runMember(
  args: readonly string[],
  config: ServerConfig,
  notices: readonly Notice[],
): Promise<void> {
  const log = openConfiguredLog(config);
  guardProcess(log);
  const life = new ProcessLife(log);
  try {
    logNotices(log, notices);
    log.info("server/main", "Running: ", { args });
    await startFailpoints(process.env, { effects: processEffects, log });
    const dirType = prepareDataDir(config.dataDir, log);
    logStart(log, config, dirType === "member");
    const server = await startServer(config, log);
    life.serve(server);
    startIdleCollector(garbageCollector());
    void server.failed.then((error) => life.fail("member failed", error));
    await server.ready;
    if (life.stopping) return;
    log.info("server/main", "ready to serve client requests", {
      "listen-client-urls": urlTexts(config.listenClientUrls),
    });
  } catch (error) {
    if (life.stopping) life.finish();
    life.fail("failed to start", describeStartFailure(error));
  }
}

function openConfiguredLog(config: ServerConfig): LogWriter {
  try {
    return openLogWriter(config.log);
  } catch (error) {
    const log = openLogWriter(defaultLogConfig);
    log.fatal("server/main", "failed to open the log outputs", { error });
    process.exit(ExitStatus.failure);
  }
}

function logNotices(log: LogWriter, notices: readonly Notice[]): void {
  for (const notice of notices) log[notice.level]("server/flags", notice.message, notice.fields);
}

function logStart(log: LogWriter, config: ServerConfig, initialized: boolean): void {
  log.info("server/main", "starting an etcd server", {
    "etcd-version": etcdVersion,
    "quorate-version": quorateVersion,
    "node-version": process.version,
    os: process.platform,
    arch: architectureName(),
    "member-initialized": initialized,
    name: config.name,
    "data-dir": config.dataDir,
    "wal-dir": config.walDir,
    "heartbeat-interval-ms": config.raft.heartbeatMs,
    "election-timeout-ms": config.raft.electionMs,
    "initial-advertise-peer-urls": urlTexts(config.advertisePeerUrls),
    "listen-peer-urls": urlTexts(config.listenPeerUrls),
    "advertise-client-urls": urlTexts(config.advertiseClientUrls),
    "listen-client-urls": urlTexts(config.listenClientUrls),
    "listen-metrics-urls": urlTexts(config.listenMetricsUrls),
    "initial-cluster": config.bootstrap.initialCluster,
    "initial-cluster-state": config.bootstrap.state,
    "initial-cluster-token": config.bootstrap.token,
    "quota-backend-bytes": config.quotaBytes,
    "max-request-bytes": config.grpc.requestBytesMax,
    "pre-vote": config.raft.preVote,
    "force-new-cluster": config.forceNewCluster,
  });
}
