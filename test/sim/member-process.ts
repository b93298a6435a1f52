/**
 * One life of a member: everything that the server puts together for it (server/compose-member.ts), over the
 * simulated disk, clock and network. Raft, core, apply, the multi-version store, the block store, the log's codec,
 * the driver, the store keeper and the tables of waiters are the real ones.
 */
import type { ApplyObserver } from "../../src/apply/applier.js";
import { RequestTimes } from "../../src/apply/request-times.js";
import type { MemberId } from "../../src/base/brand.js";
import { DamageError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { silentLogger } from "../../src/base/logger.js";
import { Histogram, MetricRegistry } from "../../src/base/metrics.js";
import { draw48Bits, type Random } from "../../src/base/prng.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { type Founder, foundingLog } from "../../src/member/bootstrap.js";
import { Compactor } from "../../src/member/compactor.js";
import { MemberCore } from "../../src/member/core/core.js";
import type { Effects } from "../../src/member/core/events.js";
import type { ReplicatedState } from "../../src/member/core/replicated-state.js";
import { Driver } from "../../src/member/driver.js";
import { hurryFirstElection } from "../../src/member/first-election.js";
import { LeaderWatch } from "../../src/member/leader-watch.js";
import { RunningMember } from "../../src/member/member.js";
import { reconcile } from "../../src/member/reconcile.js";
import { restoreState } from "../../src/member/restore-state.js";
import { StoreKeeper } from "../../src/member/store-keeper.js";
import { MemberWatches } from "../../src/member/watches.js";
import { WatchHub } from "../../src/mvcc/watch/watch-hub.js";
import type { LogAppend, RecoveredLog } from "../../src/ports/raft-log.js";
import type { RevisionStore } from "../../src/ports/revision-store.js";
import { RaftNode, type Role } from "../../src/raft/node.js";
import { LevelRevisionStore } from "../../src/storage/leveldb/revision-store.js";
import type { Branch, Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import type { SimulatedDisk } from "./disk.js";
import { LocalClock, type MachineClock } from "./local-clock.js";
import type { LogBook } from "./log-book.js";
import type { SimOptions } from "./options.js";
import type { PeerLinks } from "./peer-links.js";
import type { Sabotage } from "./planted-bugs.js";
import { type Seen, unseen } from "./raft-checks.js";
import type { Owner, Scheduler } from "./scheduler.js";
import { type Services, servicesOf } from "./services.js";
import { SimulatedLog } from "./simulated-log.js";
import type { SimulatedStore } from "./simulated-store.js";
import type { StateChecks } from "./state-checks.js";
import type { Trace } from "./trace.js";
import { countWatchPlaces } from "./watch-coverage.js";

/** What a machine has besides its disk, and what it was told. */
export interface Machine {
  readonly id: MemberId;
  readonly name: string;
  readonly disk: SimulatedDisk;
  readonly clock: MachineClock;
  readonly book: LogBook;
  /** Founders write the first entries of the log; undefined: joins a cluster that runs. */
  readonly founders: readonly Founder[] | undefined;
}

export interface ProcessDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly checks: StateChecks;
  readonly sabotage: Sabotage;
  readonly links: (process: MemberProcess) => PeerLinks;
  /** The process must stop: its disk failed, or it found something that can not be. */
  readonly failed: (process: MemberProcess, error: unknown) => void;
  /** A crash may happen here. */
  readonly mayCrash: (process: MemberProcess, where: Branch, probability: number) => void;
  readonly started: (process: MemberProcess) => void;
  /** After each turn. */
  readonly observed: (process: MemberProcess, effects: Effects) => void;
}

/** A running member's parts; undefined until the start is over. */
export interface Running {
  readonly member: RunningMember;
  readonly core: MemberCore;
  readonly driver: Driver;
  readonly keeper: StoreKeeper;
  readonly log: SimulatedLog;
  readonly peers: PeerLinks;
  readonly seen: Seen;
  readonly services: Services;
}

const electionTicks = 10;
const heartbeatIntervalMs = 100;
export const electionTimeoutMs = electionTicks * heartbeatIntervalMs;
export const requestTimeoutMs = 4_000;
const learnersMax = 1;

export class MemberProcess implements Owner {
  alive = true;
  pausedUntilUs = 0;
  running: Running | undefined;
  readonly dice: Dice;
  /** Tells this life from others, in the ids of requests and reads. */
  private readonly origin: Random;
  private readonly clock: LocalClock;
  private readonly watches: MemberWatches;
  private readonly hub: WatchHub;

  constructor(
    readonly machine: Machine,
    readonly life: number,
    private readonly deps: ProcessDeps,
  ) {
    this.dice = Dice.of(deps.options.seed, `process ${machine.name} ${life}`);
    this.origin = Dice.of(deps.options.seed, `origin ${machine.name} ${life}`).random;
    this.clock = new LocalClock(deps.scheduler, this, machine.clock);
    this.hub = new WatchHub({ source: () => this.watchSource(), wake: () => this.watches.wake() });
    countWatchPlaces(this.hub, deps.coverage);
    deps.sabotage.hub(this.hub);
    this.watches = new MemberWatches({
      hub: this.hub,
      flush: () => {},
      fail: (error) => deps.failed(this, error),
    });
  }

  get name(): string {
    return this.machine.name;
  }

  get role(): Role {
    return this.running?.core.raft.state.role ?? "follower";
  }

  /** To be called inside an event of this process. */
  start(): void {
    this.open().catch((error: unknown) => this.deps.failed(this, error));
  }

  readonly sleep = (delayUs: number): Promise<void> => this.deps.scheduler.sleep(delayUs, this);

  mayCrash(where: Branch, probability: number): void {
    this.deps.mayCrash(this, where, probability);
  }

  /** Opens a store for this process: the one in use, or an image that takes its place. */
  openStore(store: SimulatedStore): Promise<LevelRevisionStore> {
    const options = { blockCacheBytesMax: limits.blockCacheBytesMax };
    const yieldTurn = (): Promise<void> => this.sleep(100);
    return LevelRevisionStore.open(options, {
      logger: silentLogger,
      yieldTurn,
      ordered: store.openFor(this.sleep),
    });
  }

  private async open(): Promise<void> {
    const { machine, deps } = this;
    const store = deps.sabotage.openedStore(await this.openStore(machine.disk.store));
    const opened = this.openLog(store);
    const recovered = deps.sabotage.recovered(await this.found(opened, store));
    const state = await this.restore(store);
    const position = { applied: store.durableApplied, confState: state.confState };
    const { memoryLog, append } = reconcile(recovered, position);
    if (append !== undefined) {
      deps.coverage.hit("log/store ahead of log at start");
      await opened.log.append([append], { mustSync: true });
    }
    const raft = this.makeRaft(memoryLog, store);
    machine.book.started(raft.state.term, raft.state.vote);
    const core = new MemberCore(
      {
        incarnation: draw48Bits(this.origin),
        electionTimeoutMs,
        readRetryTicks: Math.ceil(electionTicks / 2),
        snapshotCount: deps.options.snapshotCount,
        catchUpEntries: deps.options.catchUpEntries,
      },
      { raft, log: memoryLog, state, lastCut: memoryLog.snapshot()?.metadata.index ?? 0, applyObserver },
    );
    deps.checks.core(core);
    deps.sabotage.core(core);
    this.compose(core, deps.sabotage.log(opened.log), store, memoryLog.lastIndex());
    deps.started(this);
  }

  private watchSource(): ReturnType<WatchHubSource> {
    const { core, keeper } = this.running!;
    return { store: core.state.deps.mvcc, history: keeper.store, readable: keeper.readable };
  }

  private openLog(store: RevisionStore): { readonly log: SimulatedLog; readonly recovered: RecoveredLog } {
    const { disk, book } = this.machine;
    const { coverage, options } = this.deps;
    const logOptions = {
      metadata: Uint8Array.of(8, Number(this.machine.id)),
      segmentBytes: options.segmentBytes,
    };
    const logDeps = {
      disk,
      sleep: this.sleep,
      // What a dead process writes before its event is over goes nowhere.
      watch: {
        written: (append: LogAppend) => {
          if (this.alive) book.written(append);
        },
        synced: () => {
          if (this.alive) book.synced();
        },
      },
      coverage,
      mayCrash: (where: Branch, probability: number) => this.mayCrash(where, probability),
    };
    if (!SimulatedLog.exists(disk)) {
      if (store.durableApplied.index > 0) throw new DamageError("a store without a log");
      return SimulatedLog.create(logOptions, logDeps);
    }
    const opened = SimulatedLog.open(store.durableApplied.index, logOptions, logDeps);
    const { recovered } = opened;
    book.recovered(recovered);
    if (recovered.hardState.vote !== 0n) coverage.hit("vote/remembered after restart");
    if ((recovered.entries.at(-1)?.index ?? 0) > store.durableApplied.index)
      coverage.hit("log/entries applied again at start");
    return opened;
  }

  /** A founder whose log holds nothing writes its first entries. */
  private async found(
    { log, recovered }: { readonly log: SimulatedLog; readonly recovered: RecoveredLog },
    store: RevisionStore,
  ): Promise<RecoveredLog> {
    const { founders } = this.machine;
    const isEmpty =
      recovered.hardState.commit === 0 && recovered.entries.length === 0 && recovered.mark.index === 0;
    if (founders === undefined || !isEmpty || store.durableApplied.index > 0) return recovered;
    const founding = foundingLog(founders);
    await log.append([founding], { mustSync: true });
    return { ...recovered, entries: founding.entries, hardState: founding.hardState! };
  }

  private makeRaft(log: ConstructorParameters<typeof MemberCore>[1]["log"], store: RevisionStore): RaftNode {
    const { trace, options } = this.deps;
    return new RaftNode({
      id: this.machine.id,
      electionTicks,
      heartbeatTicks: 1,
      log,
      applied: store.durableApplied.index,
      asyncStorageWrites: true,
      preVote: options.preVote,
      checkQuorum: true,
      stepDownOnRemoval: true,
      readOnlyOption: "safe",
      appendMessageBytesMax: 16 * 1024,
      committedBytesMax: 16 * 1024,
      uncommittedBytesMax: limits.uncommittedBytesMax,
      inflightMessagesMax: 16,
      inflightBytesMax: 64 * 1024,
      disableProposalForwarding: false,
      disableConfChangeValidation: false,
      random: this.dice.random,
      trace: trace.talkative ? (text) => trace.whisper(`${this.name} raft ${text}`) : undefined,
    });
  }

  /** Builds the state in memory over a store, and holds the store against the history. */
  private async restore(store: RevisionStore): Promise<ReplicatedState> {
    const { checks } = this.deps;
    const changes = checks.changesOf(this, this.hub);
    const state = await restoreState(
      store,
      { learnersMax },
      { leaseMetrics: leaseCounts, changes, clock: this.clock, logger: silentLogger },
    );
    await checks.restored(this, store, state);
    return state;
  }

  private compose(core: MemberCore, log: SimulatedLog, store: RevisionStore, durableIndex: number): void {
    const { deps, clock } = this;
    const fail = (error: unknown): void => deps.failed(this, error);
    const leaders = new LeaderWatch({ leaderLossMs: 2 * electionTicks * heartbeatIntervalMs });
    const rebuild = (installed: RevisionStore): Promise<ReplicatedState> => this.restore(installed);
    const keeper = new StoreKeeper(store, { core, log, logger: silentLogger, rebuild, fail });
    const compactor = new Compactor({
      keeper,
      state: () => core.state,
      appliedIndex: () => core.applied,
      clock,
      logger: silentLogger,
      fail,
    });
    const peers = deps.links(this);
    const connect = (): void =>
      peers.setPeers(core.state.membership.members().map(({ id, peerUrls }) => ({ id, urls: peerUrls })));
    const observe = (effects: Effects): void => {
      if (effects.leaderChanged) leaders.changed(core.raft.status().leader, clock.monotonicMs());
      if (effects.membershipChanged) connect();
      this.watches.deliver(() => member.observe(effects));
      compactor.poke();
      deps.observed(this, effects);
    };
    const driver = new Driver(
      { id: this.machine.id, heartbeatIntervalMs, fsync: true },
      { core, log, keeper, peers, clock, logger: silentLogger, durableIndex, fail, observe },
    );
    const member = new RunningMember(
      {
        clusterId: 1n,
        memberId: this.machine.id,
        name: this.name,
        requestBytesMax: limits.requestBytesMax,
        requestTimeoutMs,
        quotaBytes: 0,
      },
      {
        core,
        driver,
        keeper,
        compactor,
        leaders,
        peers,
        watches: this.watches,
        clock,
        requestTimes,
        random: this.origin,
      },
    );
    connect();
    clock.every(heartbeatIntervalMs, () => member.expireWaiters());
    hurryFirstElection(
      { electionTicks, advance: true },
      { core, driver, clock, activePeers: () => peers.activeCount },
    );
    const services = servicesOf(member, {
      clock,
      dice: Dice.of(deps.options.seed, `services ${this.name} ${this.life}`),
    });
    this.running = { member, core, driver, keeper, log, peers, seen: unseen(core.raft), services };
  }
}

type WatchHubSource = ConstructorParameters<typeof WatchHub>[0]["source"];

const leaseCounts = leaseMetrics(new MetricRegistry());
const requestTimes = new RequestTimes(() => new Histogram([]));
/** Nothing is measured here: an event takes no simulated time. */
const applyObserver: ApplyObserver = { begin() {}, applied() {} };
