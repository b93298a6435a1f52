/**
 * Where keep-alives and questions about leases come in, at any member: answered here when this member leads, else
 * by the leader. Until there is one that answers, it is asked again.
 */

import type { LeaseId, MemberId } from "../base/brand.js";
import { latin1ToBytes } from "../base/bytes.js";
import { StoreError, storeError } from "../base/errors.js";
import { type FailpointName, failpoints } from "../base/failpoint.js";
import { Later } from "../base/later.js";
import type { LeaseAnswer } from "../lease/lease-timing.js";
import type { Clock } from "../ports/clock.js";
import type { LeasePeers, LeaseTimes, RenewedSeconds } from "../ports/lease-peers.js";
import type { ProposeOptions } from "./contract.js";
import type { MemberCore } from "./core/core.js";
import type { Driver } from "./driver.js";
import type { LeaderWatch } from "./leader-watch.js";
import { RenewalBatches } from "./renewal-batches.js";
import { Waiter, type Waiting, WaitTable } from "./waiters.js";

export interface LeaseDeskOptions {
  readonly memberId: MemberId;
  /** Longest time that a question waits for a leader that answers it. */
  readonly requestTimeoutMs: number;
}

export interface LeaseDeskDeps {
  readonly core: MemberCore;
  readonly driver: Driver;
  readonly leaders: LeaderWatch;
  readonly peers: LeasePeers;
  readonly clock: Clock;
  /** A linearizable read at this member. */
  readonly linearize: (options: ProposeOptions) => PromiseLike<void>;
}

/** Pause before a leader is asked again that did not answer; etcd waits as long. */
const retryPauseMs = 50;

/** A keep-alive of a client. It waits for this member's answer, and where that leads no more, for the leader's. */
class Renewal extends Later<number> implements Waiting<RenewedSeconds> {
  constructor(
    private readonly id: LeaseId,
    readonly startedMs: number,
    private readonly renewAtLeader: (id: LeaseId, startedMs: number) => Promise<number>,
  ) {
    super();
  }

  override resolve(seconds: RenewedSeconds): void {
    if (seconds === undefined) this.askLeader();
    else super.resolve(seconds);
  }

  override reject(error: unknown): void {
    if (isFinal(error)) super.reject(error);
    else this.askLeader();
  }

  askLeader(): void {
    this.renewAtLeader(this.id, this.startedMs).then(
      (seconds) => super.resolve(seconds),
      (error: unknown) => super.reject(error),
    );
  }
}

export class LeaseDesk {
  private readonly renewals = new WaitTable<RenewedSeconds>();
  private readonly batches: RenewalBatches;
  private stopped = false;

  constructor(
    private readonly options: LeaseDeskOptions,
    private readonly deps: LeaseDeskDeps,
  ) {
    this.batches = new RenewalBatches({ timeoutMs: options.requestTimeoutMs }, { peers: deps.peers });
  }

  /** Seconds that the lease lives from now; 0: there is no such lease (any more). Errors: Timeout…, Stopped. */
  renew(id: LeaseId): Later<number> {
    const atOnce = this.stopped ? undefined : this.deps.core.renewAtOnce(id);
    if (atOnce !== undefined) return Later.of(atOnce);
    const renewal = new Renewal(id, this.deps.clock.monotonicMs(), this.renewAtLeader);
    if (this.deps.leaders.current !== this.options.memberId) {
      renewal.askLeader();
      return renewal;
    }
    // What most ask for, without the promises that all the rest takes.
    try {
      this.enqueue(id, renewal);
    } catch (error) {
      renewal.reject(error);
    }
    return renewal;
  }

  /** Undefined: there is no such lease. Errors: Timeout…, Stopped. */
  async times(
    id: LeaseId,
    options: ProposeOptions & { readonly keys: boolean },
  ): Promise<LeaseTimes | undefined> {
    const startedMs = this.deps.clock.monotonicMs();
    const times = await this.askLeader({ ...options, startedMs }, (leader, timeoutMs) =>
      leader === this.options.memberId
        ? this.lookUp(id, options, "beforeLookupWhenLeaseTimeToLive")
        : this.deps.peers.leaseTimes(leader, id, { keys: options.keys, timeoutMs }),
    );
    return times === "unknown" ? undefined : times;
  }

  /** As the leader, if it is one; for other members too. Errors: Stopped, TooManyRequests. */
  renewHere(id: LeaseId): Later<RenewedSeconds> {
    const waiter = new Waiter<RenewedSeconds>(this.deps.clock.monotonicMs());
    this.enqueue(id, waiter);
    return waiter;
  }

  /** As the leader, for another member. Errors: NotLeader, those of a linearizable read. */
  timesHere(id: LeaseId, options: { readonly keys: boolean }): Promise<LeaseTimes | "unknown"> {
    return this.lookUp(id, options, "beforeLookupWhenForwardLeaseTimeToLive");
  }

  /** All there are, as far as this member has applied: by the time that is left where it leads, then by id. */
  list(): readonly LeaseId[] {
    const { leases } = this.deps.core.state.deps;
    return [...leases.all()]
      .map((lease) => ({ id: lease.id, leftMs: leases.timing.remainingMs(lease) ?? 0 }))
      .sort((a, b) => a.leftMs - b.leftMs || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
  }

  /** Another leader, or none, is known: what the old one was asked goes to the next. */
  leaderChanged(): void {
    this.batches.leaderChanged(this.deps.leaders.current);
  }

  /** After each turn of the core. */
  observe(answers: readonly LeaseAnswer[]): void {
    for (const { ticket, ttlSeconds } of answers) this.renewals.resolve(ticket, ttlSeconds);
  }

  /** Every heartbeat: those who began before `beforeMs` have waited too long. */
  expire(beforeMs: number): void {
    this.renewals.expire(beforeMs, ({ startedMs }) => this.deps.leaders.timeoutError(startedMs));
  }

  stop(): void {
    this.stopped = true;
    this.renewals.rejectAll(storeError("Stopped"));
  }

  private async lookUp(
    id: LeaseId,
    options: { readonly keys: boolean },
    before: FailpointName,
  ): Promise<LeaseTimes | "unknown"> {
    await this.deps.linearize({ timeoutMs: undefined });
    failpoints[before]?.();
    const { leases } = this.deps.core.state.deps;
    if (!leases.timing.leading) throw storeError("NotLeader");
    const lease = leases.find(id);
    if (lease === undefined) return "unknown";
    return {
      // Never −1, which would say that there is no such lease.
      remainingSeconds: Math.max(0, Math.floor((leases.timing.remainingMs(lease) ?? 0) / 1_000)),
      grantedSeconds: lease.ttlSeconds,
      keys: options.keys ? lease.keys.map(latin1ToBytes) : [],
    };
  }

  private enqueue(id: LeaseId, waiting: Waiting<RenewedSeconds>): void {
    if (this.stopped) throw storeError("Stopped");
    const ticket = this.renewals.nextTicket;
    this.renewals.add(waiting);
    this.deps.driver.push({ type: "renewLease", ticket, lease: id });
  }

  private readonly renewAtLeader = (id: LeaseId, startedMs: number): Promise<number> =>
    this.askLeader({ timeoutMs: undefined, startedMs }, (leader) =>
      leader === this.options.memberId ? this.renewHere(id) : this.batches.renew(leader, id),
    );

  private async askLeader<Answer>(
    { timeoutMs, startedMs }: ProposeOptions & { readonly startedMs: number },
    ask: (leader: MemberId, timeoutMs: number) => PromiseLike<Answer | undefined>,
  ): Promise<Answer> {
    const { leaders, clock } = this.deps;
    const { requestTimeoutMs } = this.options;
    const endMs = startedMs + Math.min(timeoutMs ?? requestTimeoutMs, requestTimeoutMs);
    while (true) {
      if (this.stopped) throw storeError("Stopped");
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) throw leaders.timeoutError(startedMs);
      if (!(await leaders.until((leader) => leader !== 0n, { limitMs: leftMs, clock }))) continue;
      const answer = await this.attempt(() => ask(leaders.current, leftMs));
      if (answer !== undefined) return answer;
      await new Promise<void>((resolve) => clock.after(retryPauseMs, resolve));
    }
  }

  /** Undefined: not answered by a leader; a full queue and the stop of this member are answers. */
  private async attempt<Answer>(ask: () => PromiseLike<Answer | undefined>): Promise<Answer | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isFinal(error)) throw error;
      return undefined;
    }
  }
}

/** What is an answer whoever leads. */
function isFinal(error: unknown): boolean {
  const { code } = error instanceof StoreError ? error.detail : { code: undefined };
  return code === "Stopped" || code === "RequestTooManyRequests";
}
