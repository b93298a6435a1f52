/** Builds one member from its configuration: the only place where adapters are made and put together. */
import { randomBytes } from "node:crypto";
import { clusterMethods } from "../api/cluster.js";
import { toRpcStatus } from "../api/error-table.js";
import { guarded } from "../api/guards.js";
import { kvMethods } from "../api/kv.js";
import { maintenanceMethods } from "../api/maintenance.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import { seededRandom } from "../base/prng.js";
import { clusterVersion, etcdVersion } from "../base/version.js";
import { Compactor } from "../member/compactor.js";
import { MemberCore } from "../member/core/core.js";
import { Driver } from "../member/driver.js";
import { LeaderWatch } from "../member/leader-watch.js";
import { RunningMember } from "../member/member.js";
import { Publisher } from "../member/publisher.js";
import { restoreState } from "../member/restore-state.js";
import { StoreKeeper } from "../member/store-keeper.js";
import type { RevisionStore } from "../ports/revision-store.js";
import type { ImageReceiver } from "../ports/snapshot-store.js";
import { RaftNode } from "../raft/node.js";
import { receiveImage } from "../storage/snapshot/receive-image.js";
import { grpcJsChannel } from "../transport/grpc-js-channel.js";
import { PeerLinks } from "../transport/peer/peer-links.js";
import { peerMethods } from "../transport/peer/peer-service.js";
import type { RpcMethod } from "../transport/rpc.js";
import { formatId } from "./bootstrap/ids.js";
import type { ServerConfig } from "./flags/server-config.js";
import { urlTexts } from "./flags/urls.js";
import { checkSameMember } from "./identity.js";
import { Listeners, type ListenOptions } from "./listeners.js";
import { nodeClock } from "./node-clock.js";
import { type OpenedMember, openMember, openStore, storeDirectory } from "./open-member.js";

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

export async function startServer(config: ServerConfig, log: Logger): Promise<RunningServer> {
  const { failed, fail } = failure();
  const restore = (store: RevisionStore) =>
    restoreState(
      store,
      { learnersMax: config.learnersMax },
      { leases: noLeases, changes: noWatchers, clock: nodeClock, logger: log },
    );
  const opened = await openMember(config, {
    logger: log,
    wal: { clock: nodeClock, logger: log, observer: { wrote() {}, synced() {} } },
    restore,
  });
  const { identity, state } = opened;
  checkSameMember(identity, state.membership.members(), config);

  const core = composeCore(config, opened, log);
  const leaders = new LeaderWatch({ leaderLossMs: 2 * config.raft.electionMs });
  const keeper = new StoreKeeper(opened.store, {
    core,
    log: opened.log,
    logger: log,
    rebuild: restore,
    fail,
  });
  const compactor = new Compactor({
    keeper,
    state: () => core.state,
    appliedIndex: () => core.applied,
    clock: nodeClock,
    logger: log,
    fail,
  });
  const peers = new PeerLinks(identity, {
    connect: grpcJsChannel,
    clock: nodeClock,
    logger: log,
    random: Math.random,
    events: {
      unreachable: (peer) => driver.push({ type: "unreachable", peer }),
      snapshotSent: (peer, arrived) => driver.push({ type: "snapshotSent", peer, arrived }),
    },
  });
  const connectPeers = (): void =>
    peers.setPeers(core.state.membership.members().map(({ id, peerUrls }) => ({ id, urls: peerUrls })));
  const driver = new Driver(
    { id: identity.memberId, heartbeatIntervalMs: config.raft.heartbeatMs, fsync: !config.unsafeNoFsync },
    {
      core,
      log: opened.log,
      keeper,
      peers,
      clock: nodeClock,
      logger: log,
      durableIndex: opened.durableIndex,
      fail,
      observe: (effects) => {
        if (effects.leaderChanged) leaders.changed(core.raft.status().leader, nodeClock.monotonicMs());
        if (effects.membershipChanged) connectPeers();
        member.observe(effects);
        compactor.poke();
      },
    },
  );
  const member = new RunningMember(
    {
      ...identity,
      name: config.name,
      requestBytesMax: config.grpc.requestBytesMax,
      requestTimeoutMs: config.requestTimeoutMs,
      quotaBytes: config.quotaBytes,
    },
    { core, driver, keeper, compactor, leaders, clock: nodeClock },
  );
  connectPeers();
  const stopExpiring = nodeClock.every(config.raft.heartbeatMs, () => member.expireWaiters());

  const listeners = new Listeners({ log });
  const mapError = (error: unknown) =>
    toRpcStatus(error, (unexpected) =>
      log.error("api", "unexpected failure of a request", {
        error: String(unexpected),
        stack: unexpected instanceof Error ? unexpected.stack : undefined,
      }),
    );
  const listenOptions = (
    methods: readonly RpcMethod[],
    http: ListenOptions["http"],
    receiveBytesMax: number,
  ): ListenOptions => ({
    methods,
    mapError,
    http,
    receiveBytesMax,
    concurrentStreamsMax: config.grpc.concurrentStreamsMax,
    keepaliveMinTimeMs: config.grpc.keepaliveMinTimeMs,
    keepaliveIntervalMs: config.grpc.keepaliveIntervalMs,
    keepaliveTimeoutMs: config.grpc.keepaliveTimeoutMs,
  });
  const images: ImageReceiver = {
    receive: async (chunks) => {
      const image = await receiveImage(storeDirectory(config), chunks);
      return {
        applied: image.applied,
        install: async () => {
          await image.install();
          return openStore(config, log);
        },
        discard: () => image.discard(),
      };
    },
  };
  const peerService = peerMethods({
    ...identity,
    directory: {
      isMember: (id) => core.state.membership.member(id) !== undefined,
      isRemoved: (id) => core.state.membership.isRemoved(id),
      isKnownElsewhere: (id) => peers.isKnown(id),
    },
    events: {
      message: (message) => driver.push({ type: "message", message }),
      snapshot: (message, image) => driver.pushSnapshot(message, image),
    },
    images,
    logger: log,
  });
  const publisher = new Publisher(
    { ...identity, name: config.name, clientUrls: urlTexts(config.advertiseClientUrls), clusterVersion },
    { member, logger: log },
  );
  const clientMethods = guarded(
    [
      ...kvMethods(member, { txnOpsMax: config.txnOpsMax }),
      ...clusterMethods(member),
      ...maintenanceMethods(member, { serverVersion: etcdVersion }),
    ],
    member,
  );
  const stop = async (): Promise<void> => {
    publisher.stop();
    await member.stop();
    stopExpiring();
    await listeners.close({ graceMs: closeGraceMs });
    await peers.close();
    await opened.log.close();
  };
  try {
    await listeners.open(
      config.listenPeerUrls,
      listenOptions(peerService, () => {}, limits.peerFrameBytesMax),
    );
    const ready = member.ready().then(() =>
      listeners.open(
        config.listenClientUrls,
        listenOptions(clientMethods, () => {}, config.grpc.requestBytesMax + limits.requestOverheadBytesMax),
      ),
    );
    void publisher.run();
    log.info("server/compose", "started member", {
      "local-member-id": formatId(identity.memberId),
      "cluster-id": formatId(identity.clusterId),
      "applied-index": core.applied,
    });
    return { ready, failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function composeCore(config: ServerConfig, opened: OpenedMember, log: Logger): MemberCore {
  const { identity, memoryLog, state, store } = opened;
  const raft = new RaftNode({
    id: identity.memberId,
    electionTicks: config.raft.electionTicks,
    heartbeatTicks: 1,
    log: memoryLog,
    applied: store.durableApplied.index,
    asyncStorageWrites: true,
    preVote: config.raft.preVote,
    checkQuorum: true,
    stepDownOnRemoval: true,
    readOnlyOption: "safe",
    appendMessageBytesMax: limits.appendMessageBytesMax,
    committedBytesMax: limits.applyBatchBytesMax,
    uncommittedBytesMax: limits.uncommittedBytesMax,
    inflightMessagesMax: limits.inflightMessagesMax,
    inflightBytesMax: limits.inflightBytesMax,
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
    random: seededRandom(randomBytes(8).readBigUInt64LE()),
    trace: (text) => log.info("raft", text),
  });
  return new MemberCore(
    {
      incarnation: nodeClock.nowMs(),
      readRetryTicks: Math.max(2, Math.ceil(config.raft.electionTicks / 2)),
      snapshotCount: config.raft.snapshotCount,
      catchUpEntries: config.raft.snapshotCatchUpEntries,
    },
    { raft, log: memoryLog, state, lastCut: memoryLog.snapshot()?.metadata.index ?? 0 },
  );
}

/** A promise of the first failure, and what fulfils it. */
function failure(): { readonly failed: Promise<Error>; readonly fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = (error) => resolve(error instanceof Error ? error : new Error(String(error)));
  });
  return { failed, fail };
}

/** No lease exists until the lease service is built. */
const noLeases = {
  exists: () => false,
  attach() {},
  detach() {},
};

const noWatchers = { committed() {} };
