/** What a member serves: the client API, the peers' service, HTTP beside them. */
import { clusterMethods } from "../api/cluster.js";
import { electionMethods } from "../api/election.js";
import { grpcHealthMethods } from "../api/grpc-health.js";
import { guarded } from "../api/guards.js";
import { createHttpHandler, createMetricsHandler } from "../api/http/handler.js";
import { respondNotFound } from "../api/http/respond.js";
import { kvMethods } from "../api/kv.js";
import { LeaderLoss } from "../api/leader-loss.js";
import { leaseMethods } from "../api/lease.js";
import { lockMethods } from "../api/lock.js";
import { maintenanceMethods } from "../api/maintenance.js";
import { reflectionMethods } from "../api/reflection.js";
import { watchMethods } from "../api/watch.js";
import type { RequestTimes } from "../apply/request-times.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import type { MetricRegistry } from "../base/metrics.js";
import { etcdVersion } from "../base/version.js";
import type { Member } from "../member/contract.js";
import type { ImageReceiver } from "../ports/snapshot-store.js";
import { receiveImage } from "../storage/snapshot/receive-image.js";
import { peerMethods } from "../transport/peer/peer-service.js";
import type { RpcMethod } from "../transport/rpc.js";
import type { ComposedMember } from "./compose-member.js";
import { damageStops, errorMapper } from "./error-mapper.js";
import type { ServerConfig } from "./flags/server-config.js";
import type { Identity } from "./identity.js";
import type { ListenOptions } from "./listeners.js";
import { nodeClock } from "./node-clock.js";
import { type OpenStoreDeps, reopenStore, storeDirectory } from "./open-member.js";

/** The same services, as the flags may split them over addresses. */
export interface ClientServices {
  readonly grpcAndHttp: ListenOptions;
  readonly grpc: ListenOptions;
  readonly http: ListenOptions;
  /** --listen-metrics-urls */
  readonly metrics: ListenOptions;
}

/** The API that clients know. */
export function clientServices(
  config: ServerConfig,
  member: Member,
  deps: {
    readonly logger: Logger;
    readonly registry: MetricRegistry;
    readonly fail: (error: unknown) => void;
    readonly requestTimes: RequestTimes;
  },
): ClientServices {
  const { logger, registry, fail, requestTimes } = deps;
  const receiveBytesMax = config.grpc.requestBytesMax + limits.requestOverheadBytesMax;
  const { corsOrigins, hostWhitelist } = config.http;
  const leaseOptions = { ttlSecondsMin: leaseTtlSecondsMin(config) };
  const served = guarded(
    [
      ...kvMethods(member, { txnOpsMax: config.txnOpsMax }, { clock: nodeClock, times: requestTimes }),
      ...watchMethods(
        member,
        { progressNotifyMs: config.watchProgressNotifyMs, fragmentBytes: receiveBytesMax },
        { clock: nodeClock, registry, random: Math.random },
      ),
      ...leaseMethods(member, leaseOptions),
      ...lockMethods(member, leaseOptions),
      ...electionMethods(member, leaseOptions),
      ...clusterMethods(member),
      ...maintenanceMethods(member, { serverVersion: etcdVersion }),
      ...grpcHealthMethods(member),
    ],
    member,
    new LeaderLoss({ electionMs: config.raft.electionMs }, { member, clock: nodeClock }),
  );
  const methods = [...served, ...reflectionMethods(served)];
  const handler = createHttpHandler(member, registry, {
    log: logger,
    gateway: undefined,
    corsOrigins,
    hostWhitelist,
  });
  const common = {
    ...connectionOptions(config),
    endpoint: "client" as const,
    mapError: damageStops(errorMapper(logger), fail),
    receiveBytesMax,
  };
  return {
    grpcAndHttp: { ...common, methods, http: handler },
    grpc: { ...common, methods, http: noHttp },
    http: { ...common, methods: [], http: handler },
    metrics: { ...common, methods: [], http: createMetricsHandler(member, registry, { log: logger }) },
  };
}

/** One and a half election timeouts, in whole ticks, rounded up to seconds. */
function leaseTtlSecondsMin({ raft }: ServerConfig): number {
  return Math.ceil((Math.floor((3 * raft.electionTicks) / 2) * raft.heartbeatMs) / 1_000);
}

const noHttp: ListenOptions["http"] = (_request, response) => respondNotFound(response);

export interface PeerServicesDeps extends OpenStoreDeps {
  readonly registry: MetricRegistry;
}

/** What other members call, on the peer URLs. */
export function peerServices(
  config: ServerConfig,
  identity: Identity,
  composed: ComposedMember,
  deps: PeerServicesDeps,
): ListenOptions {
  const { logger } = deps;
  const { core, driver, peers } = composed;
  const methods: readonly RpcMethod[] = peerMethods({
    ...identity,
    directory: {
      get isEmpty() {
        return core.state.membership.members().length === 0;
      },
      isMember: (id) => core.state.membership.member(id) !== undefined,
      isRemoved: (id) => core.state.membership.isRemoved(id),
      isKnownElsewhere: (id) => peers.isKnown(id),
    },
    meet: (peer) => peers.meet(peer),
    events: {
      message: (message) => driver.push({ type: "message", message }),
      snapshot: (message, image) => driver.pushSnapshot(message, image),
    },
    images: imageReceiver(config, deps),
    leases: composed.member.leaseDesk,
    logger,
  });
  return {
    ...connectionOptions(config),
    endpoint: "peer",
    // Members ping each other as often as they like: the policy is for clients.
    keepaliveMinTimeMs: 0,
    methods,
    mapError: errorMapper(logger),
    http: noHttp,
    receiveBytesMax: limits.peerFrameBytesMax,
  };
}

function imageReceiver(config: ServerConfig, deps: PeerServicesDeps): ImageReceiver {
  const seconds = deps.registry.histogram("etcd_snap_db_save_total_duration_seconds");
  return {
    receive: async (chunks) => {
      const startedMs = nodeClock.monotonicMs();
      const image = await receiveImage(storeDirectory(config), chunks);
      seconds.observe((nodeClock.monotonicMs() - startedMs) / 1_000);
      return {
        applied: image.applied,
        install: async () => {
          await image.install();
          return reopenStore(config, deps);
        },
        discard: () => image.discard(),
      };
    },
  };
}

function connectionOptions(
  config: ServerConfig,
): Pick<
  ListenOptions,
  "concurrentStreamsMax" | "keepaliveMinTimeMs" | "keepaliveIntervalMs" | "keepaliveTimeoutMs"
> {
  const { concurrentStreamsMax, keepaliveMinTimeMs, keepaliveIntervalMs, keepaliveTimeoutMs } = config.grpc;
  return { concurrentStreamsMax, keepaliveMinTimeMs, keepaliveIntervalMs, keepaliveTimeoutMs };
}
