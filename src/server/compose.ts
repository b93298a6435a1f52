/** Builds one member from its configuration, in one line of steps: storage, member, services, doors. */
import type { Logger } from "../base/logger.js";
import { MetricRegistry } from "../base/metrics.js";
import { clusterVersion } from "../base/version.js";
import { leaseMetrics } from "../lease/lease-metrics.js";
import { Publisher } from "../member/publisher.js";
import { restoreState } from "../member/restore-state.js";
import { WatchHub } from "../mvcc/watch/watch-hub.js";
import type { RevisionStore } from "../ports/revision-store.js";
import { formatId } from "./bootstrap/ids.js";
import { composeMember } from "./compose-member.js";
import { clientServices, peerServices } from "./compose-services.js";
import type { ServerConfig } from "./flags/server-config.js";
import { urlTexts } from "./flags/urls.js";
import { checkSameMember } from "./identity.js";
import { Listeners } from "./listeners.js";
import { nodeClock } from "./node-clock.js";
import { openMember } from "./open-member.js";
import {
  measuredApply,
  measuredStore,
  requestDurations,
  showFeatures,
  showMember,
  showWatches,
  walObserver,
} from "./show-metrics.js";

export interface RunningServer {
  /** Resolves when a leader is known and the client port answers. */
  readonly ready: Promise<void>;
  /** Hands leadership over, finishes what is in hand, closes everything. */
  stop(): Promise<void>;
  /** Resolves with the reason when the member can not go on; never without one. */
  readonly failed: Promise<Error>;
}

/** Unary calls in hand get this long to end when the process is told to stop. */
const closeGraceMs = 300;

/** Errors: ConfigError, DamageError, those of sockets and files; what was opened is closed again then. */
export async function startServer(config: ServerConfig, logger: Logger): Promise<RunningServer> {
  const registry = new MetricRegistry();
  const { failed, fail } = failure();
  const hub = new WatchHub({ source: () => composed.watchSource(), wake: () => composed.watches.wake() });
  showWatches(registry, hub);
  showFeatures(registry, config.features);
  const leaseCounts = leaseMetrics(registry);
  const restore = (store: RevisionStore) =>
    restoreState(
      store,
      { learnersMax: config.learnersMax },
      { leaseMetrics: leaseCounts, changes: hub, clock: nodeClock, logger },
    );
  const wal = { clock: nodeClock, logger, observer: walObserver(registry) };
  const measured = (store: RevisionStore): RevisionStore => measuredStore(store, registry);
  const opened = await openMember(config, { logger, wal, restore, measured });
  const { identity, state } = opened;
  const listeners = new Listeners(config.tlsPolicy, { log: logger, registry });
  const requestTimes = requestDurations(registry);
  const applyObserver = measuredApply(
    { slowMs: config.warningApplyMs },
    { registry, clock: nodeClock, logger },
  );
  const composed = composeMember(config, opened, { logger, restore, fail, hub, requestTimes, applyObserver });
  showMember(registry, composed);
  const { member, core } = composed;
  const clientUrls = urlTexts(config.advertiseClientUrls);
  const { memberId } = identity;
  const publisher = new Publisher(
    { memberId, name: config.name, clientUrls, clusterVersion },
    { member, logger },
  );
  const stop = async (): Promise<void> => {
    publisher.stop();
    await composed.stop();
    await listeners.close({ graceMs: closeGraceMs });
  };
  try {
    checkSameMember(identity, state.membership.members(), config);
    await listeners.open(
      config.listenPeerUrls,
      config.peerTls,
      peerServices(config, identity, composed, { logger, measured, registry }),
    );
    const { grpcAndHttp, grpc, http, metrics } = clientServices(config, member, {
      logger,
      registry,
      fail,
      requestTimes,
    });
    const separateHttp = config.listenClientHttpUrls.length > 0;
    await listeners.open(config.listenClientUrls, config.clientTls, separateHttp ? grpc : grpcAndHttp);
    await listeners.open(config.listenClientHttpUrls, config.clientTls, http);
    await listeners.open(config.listenMetricsUrls, config.clientTls, metrics);
  } catch (error) {
    await stop();
    throw error;
  }
  publisher.run().catch(fail);
  logger.info("server/compose", "started member", {
    "local-member-id": formatId(memberId),
    "cluster-id": formatId(identity.clusterId),
    "applied-index": core.applied,
  });
  return { ready: member.ready(), failed, stop };
}

/** A promise of the first failure, and what fulfils it. */
function failure(): { readonly failed: Promise<Error>; readonly fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = (error) => resolve(error instanceof Error ? error : new Error(String(error)));
  });
  return { failed, fail };
}
