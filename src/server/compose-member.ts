/** Puts one member together: core, driver, store, links to its peers. */
import { randomBytes } from "node:crypto";
import type { ApplyObserver } from "../apply/applier.js";
import type { RequestTimes } from "../apply/request-times.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import { draw48Bits, type Random, seededRandom } from "../base/prng.js";
import { Compactor } from "../member/compactor.js";
import { MemberCore } from "../member/core/core.js";
import type { Effects } from "../member/core/events.js";
import type { ReplicatedState } from "../member/core/replicated-state.js";
import { Driver } from "../member/driver.js";
import { hurryFirstElection } from "../member/first-election.js";
import { LeaderWatch } from "../member/leader-watch.js";
import { RunningMember } from "../member/member.js";
import { StoreKeeper } from "../member/store-keeper.js";
import { MemberWatches } from "../member/watches.js";
import type { WatchSource } from "../mvcc/watch/catch-up.js";
import type { WatchHub } from "../mvcc/watch/watch-hub.js";
import type { RevisionStore } from "../ports/revision-store.js";
import { RaftNode } from "../raft/node.js";
import { flushNow } from "../transport/http2/turn-flush.js";
import { PeerLinks } from "../transport/peer/peer-links.js";
import type { ServerConfig } from "./flags/server-config.js";
import { urlTexts } from "./flags/urls.js";
import { nodeClock } from "./node-clock.js";
import type { OpenedMember } from "./open-member.js";
import { peerConnector } from "./peer-connector.js";

export interface ComposeDeps {
  readonly logger: Logger;
  readonly restore: (store: RevisionStore) => Promise<ReplicatedState>;
  readonly fail: (error: unknown) => void;
  readonly hub: WatchHub;
  readonly requestTimes: RequestTimes;
  readonly applyObserver: ApplyObserver;
}

export interface ComposedMember {
  readonly member: RunningMember;
  readonly core: MemberCore;
  readonly driver: Driver;
  readonly keeper: StoreKeeper;
  readonly leaders: LeaderWatch;
  readonly peers: PeerLinks;
  readonly watches: MemberWatches;
  /** What the watches of this member are served from. */
  watchSource(): WatchSource;
  /** Stops the member, its links and its log; what is in hand is finished first. */
  stop(): Promise<void>;
}

export function composeMember(config: ServerConfig, opened: OpenedMember, deps: ComposeDeps): ComposedMember {
  const { logger, restore, fail, hub, requestTimes } = deps;
  const { identity } = opened;
  const clock = nodeClock;
  const core = composeCore(config, opened, deps);
  const leaders = new LeaderWatch({ leaderLossMs: 2 * config.raft.electionMs });
  const keeper = new StoreKeeper(opened.store, { core, log: opened.log, logger, rebuild: restore, fail });
  const compactor = new Compactor({
    keeper,
    state: () => core.state,
    appliedIndex: () => core.applied,
    clock,
    logger,
    fail,
  });
  const ownAddress = { ...identity, urls: urlTexts(config.advertisePeerUrls) };
  const peers = new PeerLinks(ownAddress, {
    connect: peerConnector(config),
    clock,
    logger,
    random: Math.random,
    isRemoved: (id) => core.state.membership.isRemoved(id),
    events: {
      unreachable: (peer) => driver.push({ type: "unreachable", peer }),
      snapshotSent: (peer, arrived) => driver.push({ type: "snapshotSent", peer, arrived }),
    },
  });
  const connectPeers = (): void =>
    peers.setPeers(core.state.membership.members().map(({ id, peerUrls }) => ({ id, urls: peerUrls })));
  const watches = new MemberWatches({ hub, flush: flushNow, fail });
  const observe = (effects: Effects): void => {
    if (effects.leaderChanged) leaders.changed(core.raft.status().leader, clock.monotonicMs());
    if (effects.membershipChanged) connectPeers();
    watches.deliver(() => member.observe(effects));
    compactor.poke();
  };
  const driver = new Driver(
    { id: identity.memberId, heartbeatIntervalMs: config.raft.heartbeatMs, fsync: !config.unsafeNoFsync },
    { core, log: opened.log, keeper, peers, clock, logger, durableIndex: opened.durableIndex, fail, observe },
  );
  const { name, requestTimeoutMs, quotaBytes } = config;
  const { requestBytesMax } = config.grpc;
  const member = new RunningMember(
    { ...identity, name, requestBytesMax, requestTimeoutMs, quotaBytes },
    { core, driver, keeper, compactor, leaders, peers, watches, clock, requestTimes, random: freshRandom() },
  );
  connectPeers();
  const { electionTicks, initialElectionTickAdvance: advance } = config.raft;
  const stopHurrying = hurryFirstElection(
    { electionTicks, advance },
    { core, driver, clock, activePeers: () => peers.activeCount },
  );
  const stopExpiring = clock.every(config.raft.heartbeatMs, () => member.expireWaiters());
  const stop = async (): Promise<void> => {
    stopHurrying();
    await member.stop();
    stopExpiring();
    await peers.close();
    await opened.log.close();
  };
  const watchSource = (): WatchSource => ({
    store: core.state.deps.mvcc,
    history: keeper.store,
    readable: keeper.readable,
  });
  return { member, core, driver, keeper, leaders, peers, watches, watchSource, stop };
}

function composeCore(config: ServerConfig, opened: OpenedMember, deps: ComposeDeps): MemberCore {
  const { logger, applyObserver } = deps;
  const { identity, memoryLog, state, store } = opened;
  const random = freshRandom();
  const { electionTicks, heartbeatMs, preVote, snapshotCount, snapshotCatchUpEntries } = config.raft;
  const raft = new RaftNode({
    id: identity.memberId,
    electionTicks,
    heartbeatTicks: 1,
    log: memoryLog,
    applied: store.durableApplied.index,
    asyncStorageWrites: true,
    preVote,
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
    random,
    trace: (text) => logger.info("raft", text),
  });
  return new MemberCore(
    {
      incarnation: draw48Bits(random),
      electionTimeoutMs: electionTicks * heartbeatMs,
      readRetryTicks: Math.max(2, Math.ceil(electionTicks / 2)),
      snapshotCount,
      catchUpEntries: snapshotCatchUpEntries,
    },
    { raft, log: memoryLog, state, lastCut: memoryLog.snapshot()?.metadata.index ?? 0, applyObserver },
  );
}

/** Unlike at any other start, which the time would not be: clocks are set back. */
function freshRandom(): Random {
  return seededRandom(randomBytes(8).readBigUInt64LE());
}
