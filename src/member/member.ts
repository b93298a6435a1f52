/**
 * A running member: what the services call (contract.ts), put together from the core, its driver and the
 * tables of who waits.
 */

import { encodeRaftRequest } from "../apply/raft-request.js";
import { type RequestTimes, requestName } from "../apply/request-times.js";
import type { ApplyResult } from "../apply/result.js";
import { assert } from "../base/assert.js";
import type { ClusterId, LeaseId, MemberId, RequestId, Revision } from "../base/brand.js";
import { StoreError, storeError } from "../base/errors.js";
import type { Later } from "../base/later.js";
import type { Random } from "../base/prng.js";
import { isTxnReadOnly } from "../mvcc/checks.js";
import type { RangeCursor } from "../mvcc/range-cursor.js";
import type { RangeRequest, TxnRequest } from "../mvcc/requests.js";
import type { RangeResult, TxnResult } from "../mvcc/results.js";
import type { MvccStore } from "../mvcc/store.js";
import type { Clock } from "../ports/clock.js";
import type { LeasePeers, LeaseTimes } from "../ports/lease-peers.js";
import type { ConfChange } from "../raft/conf-change.js";
import type { Compactor } from "./compactor.js";
import type {
  AlarmInfo,
  HashKvResult,
  HeaderFields,
  Member,
  MemberInfo,
  MemberStatus,
  ProposeOptions,
  RequestField,
  Watches,
} from "./contract.js";
import type { MemberCore } from "./core/core.js";
import type { Effects } from "./core/events.js";
import type { Driver } from "./driver.js";
import { hashKvAt } from "./hash.js";
import type { LeaderWatch } from "./leader-watch.js";
import { LeaseDesk } from "./lease-desk.js";
import { RequestIds } from "./request-ids.js";
import type { StoreKeeper } from "./store-keeper.js";
import { Waiter, WaitTable } from "./waiters.js";

export interface MemberOptions {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly name: string;
  /** Largest encoded request in bytes (--max-request-bytes). */
  readonly requestBytesMax: number;
  /** A request that is not applied after this is given up; it may be applied all the same. etcd: 5 s + 2 election timeouts. */
  readonly requestTimeoutMs: number;
  readonly quotaBytes: number;
}

export interface MemberDeps {
  readonly core: MemberCore;
  readonly driver: Driver;
  readonly keeper: StoreKeeper;
  readonly compactor: Compactor;
  readonly leaders: LeaderWatch;
  readonly peers: LeasePeers;
  readonly watches: Watches;
  readonly clock: Clock;
  /** What went through the log, from when it came to when its outcome was known. */
  readonly requestTimes: RequestTimes;
  /** Another stream at each start of the member: ids of requests come of it. */
  readonly random: Random;
}

class Proposal extends Waiter<ApplyResult> {
  constructor(
    startedMs: number,
    /** As in AppliedRequest. */
    readonly field: number,
  ) {
    super(startedMs);
  }
}

export class RunningMember implements Member {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly leaseDesk: LeaseDesk;
  private readonly proposals = new WaitTable<ApplyResult, Proposal>();
  private readonly reads = new WaitTable<void>();
  private readonly requestIds: RequestIds;
  /** Most answers of a turn have the same. */
  private lastHeader: HeaderFields | undefined;
  private stopping = false;
  /** Requests that ended without an answer from the log, and reads that no quorum confirmed in time. */
  readonly failures = { proposals: 0, reads: 0 };

  constructor(
    private readonly options: MemberOptions,
    private readonly deps: MemberDeps,
  ) {
    this.clusterId = options.clusterId;
    this.memberId = options.memberId;
    this.leaseDesk = new LeaseDesk(options, { ...deps, linearize: (limit) => this.linearize(limit) });
    this.requestIds = new RequestIds(options.memberId, deps.random);
  }

  get leader(): MemberId {
    return this.deps.leaders.current;
  }

  /** Requests on their way through the log. */
  get proposalsPending(): number {
    return this.proposals.size;
  }

  get watches(): Watches {
    return this.deps.watches;
  }

  get isLearner(): boolean {
    return this.deps.core.state.membership.member(this.memberId)?.isLearner ?? false;
  }

  header(revision: Revision = this.deps.core.state.deps.mvcc.revision): HeaderFields {
    const raftTerm = this.deps.core.raft.state.term;
    if (this.lastHeader?.revision !== revision || this.lastHeader.raftTerm !== raftTerm) {
      this.lastHeader = { clusterId: this.clusterId, memberId: this.memberId, revision, raftTerm };
    }
    return this.lastHeader;
  }

  propose(field: RequestField, body: Uint8Array, _options: ProposeOptions): Later<ApplyResult> {
    const id = this.requestIds.of(this.proposals.nextTicket);
    const data = encodeRaftRequest({ id, field, body });
    if (data.length > this.options.requestBytesMax) throw storeError("RequestTooLarge");
    const done = this.awaitProposal(field);
    this.deps.driver.push({ type: "propose", id, data });
    return done;
  }

  linearize(_options: ProposeOptions): Waiter<void> {
    if (this.stopping) throw storeError("Stopped");
    const done = new Waiter<void>(this.deps.clock.monotonicMs());
    if (this.deps.core.decidesAlone) {
      done.resolve(undefined);
      return done;
    }
    const ticket = this.reads.nextTicket;
    this.reads.add(done);
    this.deps.driver.push({ type: "read", ticket });
    return done;
  }

  range(request: RangeRequest): RangeResult {
    return this.readable().range(request);
  }

  openRange(request: RangeRequest): RangeCursor {
    return this.readable().openRange(request);
  }

  readTxn(request: TxnRequest): TxnResult {
    assert(isTxnReadOnly(request), "a transaction outside the log only reads");
    return this.readable().txn(request);
  }

  compactionFinished(): Promise<void> {
    return this.deps.compactor.finished();
  }

  hashKv(revision: Revision): Promise<HashKvResult> {
    this.readable();
    return hashKvAt(revision, this.deps);
  }

  renewLease(lease: LeaseId): Later<number> {
    return this.leaseDesk.renew(lease);
  }

  leaseTimes(
    lease: LeaseId,
    options: ProposeOptions & { readonly keys: boolean },
  ): Promise<LeaseTimes | undefined> {
    return this.leaseDesk.times(lease, options);
  }

  leases(): readonly LeaseId[] {
    return this.leaseDesk.list();
  }

  status(): MemberStatus {
    const { core, keeper } = this.deps;
    const raft = core.raft.status();
    return {
      clusterId: this.clusterId,
      memberId: this.memberId,
      name: this.options.name,
      leader: raft.leader,
      term: raft.term,
      committedIndex: raft.commit,
      appliedIndex: core.applied,
      revision: core.state.deps.mvcc.revision,
      isLearner: this.isLearner,
      storeBytes: keeper.store.sizeBytes,
      storeBytesInUse: keeper.store.sizeInUseBytes,
      quotaBytes: this.options.quotaBytes,
      clusterVersion: core.state.membership.clusterVersion,
    };
  }

  members(): readonly MemberInfo[] {
    return this.deps.core.state.membership.members();
  }

  alarms(): readonly AlarmInfo[] {
    return this.deps.core.state.alarms.list();
  }

  async moveLeader(target: MemberId, options: ProposeOptions): Promise<void> {
    const { core, driver, leaders, clock } = this.deps;
    if (core.raft.status().leader !== this.memberId) throw storeError("NotLeader");
    const member = core.state.membership.member(target);
    if (member === undefined || member.isLearner) throw storeError("BadLeaderTransferee");
    driver.push({ type: "transferLeadership", target });
    const limitMs = Math.min(
      options.timeoutMs ?? this.options.requestTimeoutMs,
      this.options.requestTimeoutMs,
    );
    if (!(await leaders.until((leader) => leader === target, { limitMs, clock })))
      throw storeError("Timeout");
  }

  async ready(): Promise<void> {
    while (!this.stopping) {
      try {
        return await this.linearize({ timeoutMs: undefined });
      } catch (error) {
        // Without a quorum it takes as long as it takes; the member is just not ready yet.
        if (!(error instanceof StoreError) || this.stopping) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    if (this.stopping) return;
    await this.handOver();
    this.stopping = true;
    this.proposals.rejectAll(storeError("Stopped"));
    this.reads.rejectAll(storeError("Stopped"));
    this.leaseDesk.stop();
    await this.deps.compactor.stop();
    await this.deps.driver.stop();
    await this.deps.keeper.close();
  }

  /** Called by the driver after each turn. */
  observe(effects: Effects): void {
    if (effects.applied.length + effects.refused.length > 0) this.answerProposals(effects);
    for (const ticket of effects.reads) this.reads.resolve(ticket, undefined);
    this.leaseDesk.observe(effects.renewals);
    if (effects.leaderChanged) this.leaseDesk.leaderChanged();
  }

  /** Called every heartbeat: gives up what has waited too long. */
  expireWaiters(): void {
    const { clock, leaders, driver } = this.deps;
    const before = clock.monotonicMs() - this.options.requestTimeoutMs;
    const given = this.proposals.expire(before, (proposal) => {
      this.failed(proposal, clock.monotonicMs());
      return leaders.timeoutError(proposal.startedMs);
    });
    for (const ticket of given) driver.push({ type: "abandon", id: this.requestIds.of(ticket) });
    const unconfirmed = this.reads.expire(before, ({ startedMs }) => leaders.timeoutError(startedMs));
    this.failures.reads += unconfirmed.length;
    this.leaseDesk.expire(before);
  }

  /** Puts a change of the configuration through the log, under the id that it is to have. */
  changeConfiguration(change: (id: RequestId) => ConfChange): Later<ApplyResult> {
    const id = this.requestIds.of(this.proposals.nextTicket);
    const done = this.awaitProposal(0);
    this.deps.driver.push({ type: "proposeConfChange", id, change: change(id) });
    return done;
  }

  private awaitProposal(field: number): Later<ApplyResult> {
    if (this.stopping) throw storeError("Stopped");
    const proposal = new Proposal(this.deps.clock.monotonicMs(), field);
    this.proposals.add(proposal);
    return proposal;
  }

  /** Those of a turn ended at one time: the clock is read once. That the log's answer is an error is no failure. */
  private answerProposals({ applied, refused }: Effects): void {
    const { requestTimes, clock } = this.deps;
    const nowMs = clock.monotonicMs();
    for (const { id, field, outcome } of applied) {
      const ticket = this.requestIds.numberOf(id);
      if (ticket === undefined) continue;
      const proposal =
        outcome instanceof StoreError
          ? this.proposals.reject(ticket, outcome)
          : this.proposals.resolve(ticket, outcome);
      if (proposal !== undefined && field !== 0)
        requestTimes.observe(requestName(field), true, nowMs - proposal.startedMs);
    }
    for (const { id } of refused) {
      const ticket = this.requestIds.numberOf(id);
      if (ticket === undefined) continue;
      const proposal = this.proposals.reject(ticket, storeError("RequestTooManyRequests"));
      if (proposal !== undefined) this.failed(proposal, nowMs);
    }
  }

  private failed({ field, startedMs }: Proposal, nowMs: number): void {
    this.failures.proposals++;
    if (field !== 0) this.deps.requestTimes.observe(requestName(field), false, nowMs - startedMs);
  }

  /** The keys, unless a snapshot is just taking their place. */
  private readable(): MvccStore {
    if (this.deps.keeper.busy) {
      const text = "etcdserver: applying a snapshot";
      throw new StoreError({ code: "Other", status: "Unavailable", text });
    }
    return this.deps.core.state.deps.mvcc;
  }

  /** A leader that goes away hands over first: the others need not wait for an election timeout. */
  private async handOver(): Promise<void> {
    const { core, leaders, clock } = this.deps;
    const { leader, progress } = core.raft.status();
    if (leader !== this.memberId) return;
    const heirs = [...progress]
      .filter(([id, { isLearner, recentActive }]) => id !== this.memberId && !isLearner && recentActive)
      .sort(([, a], [, b]) => b.match - a.match);
    const heir = heirs[0];
    if (heir === undefined) return;
    this.deps.driver.push({ type: "transferLeadership", target: heir[0] });
    await leaders.until((next) => next !== this.memberId && next !== 0n, { limitMs: handOverLimitMs, clock });
  }
}

/** The process must be gone 1.5 s after SIGTERM; the hand-over usually takes two round trips. */
const handOverLimitMs = 700;
