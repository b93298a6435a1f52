/**
 * What a leader owes to leases: it ends those whose time is over, keeps the log informed of the time that is left,
 * and confirms keep-alives. Everything that changes a lease goes through the log, appended by this member as the
 * leader or not at all: it is never passed on to another leader, who may know of renewals that this one missed
 * (etcd-io/etcd #15247).
 *
 * Two things wait for a quorum to confirm this leader, as a linearizable read does (Raft thesis section 6.4):
 *  - a keep-alive, from after it arrived: so no deposed leader confirms one;
 *  - the end of a lease, from after its deadline: so a leader that slept through its own deposition ends nothing.
 */
import { encodeLeaseCheckpoints, encodeLeaseId } from "../../apply/lease-requests.js";
import { encodeRaftRequest, RequestField } from "../../apply/raft-request.js";
import { assert } from "../../base/assert.js";
import type { LeaseId, Term } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { LeaseCheckpoint } from "../../lease/checkpoints.js";
import type { RenewalTicket } from "../../lease/countdown.js";
import type { Lease } from "../../lease/lease.js";
import type { LeaseAnswer } from "../../lease/lease-timing.js";
import type { Lessor } from "../../lease/lessor.js";
import type { RaftNode } from "../../raft/node.js";
import type { ReadTicket } from "./events.js";
import type { ReadTable } from "./reads.js";

export interface LeaseDutyOptions {
  /** A new leader grants every lease so much on top of what is left, ms: an election timeout. */
  readonly extendMs: number;
}

export interface LeaseDutyDeps {
  readonly raft: RaftNode;
  readonly reads: ReadTable;
}

interface Renewal {
  readonly ticket: RenewalTicket;
  readonly lease: LeaseId;
}

export class LeaseDuty {
  /** Tickets of reads of our own count down from −1, those of the member's clients up from 1. */
  private nextTicket: ReadTicket = -1;
  /** All that came between two turns wait for one confirmation. */
  private readonly renewals = new Map<ReadTicket, Renewal[]>();
  /** The newest of them, where no turn was since it began. */
  private gathering: Renewal[] | undefined;
  private answers: LeaseAnswer[] = [];
  /** The term that this member leads in and whose predecessors' entries it has applied; 0 for none. */
  private ledTerm: Term = 0;
  private nowMs = 0;
  /** This leader was confirmed by a question that was asked at or after this time. */
  private confirmedMs = Number.NEGATIVE_INFINITY;
  private question: { readonly ticket: ReadTicket; readonly askedMs: number } | undefined;

  constructor(
    private readonly options: LeaseDutyOptions,
    private readonly deps: LeaseDutyDeps,
    private lessor: Lessor,
  ) {}

  /** The term that this member leads in, once it knows all that came before; 0 for none. */
  get leadsInTerm(): Term {
    return this.ledTerm;
  }

  /** An installed snapshot replaced the leases; this member follows, so nothing is under way. */
  adopt(lessor: Lessor): void {
    this.stepDown();
    this.lessor = lessor;
  }

  tick(nowMs: number): void {
    this.nowMs = Math.floor(nowMs);
    this.lessor.timing.tick(nowMs);
    this.askBeforeEnding();
  }

  /** A client keeps a lease alive. Answered at once where this member does not lead. */
  renew(renewal: Renewal): void {
    if (this.deps.raft.state.role !== "leader") {
      this.answers.push({ ticket: renewal.ticket, ttlSeconds: undefined });
      return;
    }
    if (this.gathering === undefined) {
      const read = this.nextTicket--;
      this.gathering = [];
      this.renewals.set(read, this.gathering);
      this.deps.reads.add(read);
    }
    this.gathering.push(renewal);
  }

  /** As `renew`, of a leader that is confirmed now. Undefined where the answer has to be awaited: then `renew` is to be asked. */
  renewAtOnce(lease: LeaseId): number | undefined {
    return this.lessor.timing.renewAtOnce(this.lessor.find(lease));
  }

  /** A turn begins, which may ask for confirmation: who comes later needs a later one. */
  beginTurn(): void {
    this.gathering = undefined;
    this.watchRole();
  }

  /** Entries up to one of `term` are applied: a leader of that term now knows all that came before it. */
  applied(term: Term): void {
    const { state } = this.deps.raft;
    if (term !== state.term || state.role !== "leader" || this.ledTerm === term) return;
    assert(!this.lessor.timing.leading, "who leads anew stepped down before");
    this.ledTerm = term;
    this.lessor.timing.promote(this.lessor.all(), this.options.extendMs);
  }

  /** Looks whether this member leads still, after raft has heard something. */
  private watchRole(): void {
    const { state } = this.deps.raft;
    const leads = state.role === "leader";
    if (this.ledTerm !== 0 && !(leads && state.term === this.ledTerm)) this.stepDown();
    if (!leads && this.renewals.size > 0) this.sendRenewalsAway();
  }

  /** A quorum confirmed the leader after `read` was asked, and what was committed then is applied. */
  confirmed(read: ReadTicket): void {
    if (read === this.question?.ticket) {
      this.confirmedMs = this.question.askedMs;
      this.question = undefined;
      return;
    }
    const renewals = this.renewals.get(read);
    if (renewals === undefined) return;
    const { lessor } = this;
    assert(lessor.timing.leading, "who is confirmed has applied the beginning of its term");
    this.renewals.delete(read);
    for (const { ticket, lease } of renewals) lessor.timing.renew(lessor.find(lease), ticket);
  }

  /** Puts what is due in the log, as much as one turn takes. */
  propose(): void {
    if (!this.mayPropose()) return;
    const { timing } = this.lessor;
    const checkpoints = timing.takeCheckpoints();
    const ended = timing.takeExpired(this.confirmedMs, limits.leaseRevokesPerTurnMax);
    if (checkpoints.length === 0 && ended.length === 0) return;
    const payloads = ended.map((lease) => request(RequestField.LeaseRevoke, encodeLeaseId(lease.id)));
    if (checkpoints.length > 0) {
      payloads.push(request(RequestField.LeaseCheckpoint, encodeLeaseCheckpoints(checkpoints)));
    }
    if (this.deps.raft.propose(payloads).kind !== "accepted") this.takeBack(checkpoints, ended);
  }

  /** Whether the next turn has something to propose already. */
  get wantsTurn(): boolean {
    return this.mayPropose() && this.lessor.timing.hasWork(this.confirmedMs);
  }

  /** Leadership is about to be handed over: the next leader is told how much is left of each lease. */
  handOver(): void {
    if (!this.mayPropose()) return;
    this.lessor.timing.checkpointAll(this.lessor.all());
    this.propose();
  }

  takeAnswers(): readonly LeaseAnswer[] {
    const decided = this.lessor.timing.takeAnswers();
    if (this.answers.length === 0) return decided;
    const answers = this.answers.concat(decided);
    this.answers = [];
    return answers;
  }

  private mayPropose(): boolean {
    const { state } = this.deps.raft;
    return this.lessor.timing.leading && state.role === "leader" && state.leadership.transferee === 0n;
  }

  private askBeforeEnding(): void {
    const deadlineMs = this.lessor.timing.earliestExpired();
    if (deadlineMs === undefined || deadlineMs <= this.confirmedMs || this.question !== undefined) return;
    this.question = { ticket: this.nextTicket--, askedMs: this.nowMs };
    this.deps.reads.add(this.question.ticket);
  }

  private takeBack(checkpoints: readonly LeaseCheckpoint[], ended: readonly Lease[]): void {
    const { timing } = this.lessor;
    timing.checkpointsFailed(checkpoints, (id) => this.lessor.find(id));
    for (const lease of ended) timing.revokeFailed(lease);
  }

  private stepDown(): void {
    this.ledTerm = 0;
    this.confirmedMs = Number.NEGATIVE_INFINITY;
    this.question = undefined;
    this.lessor.timing.demote(this.lessor.all());
    this.sendRenewalsAway();
  }

  private sendRenewalsAway(): void {
    for (const renewals of this.renewals.values()) {
      for (const { ticket } of renewals) this.answers.push({ ticket, ttlSeconds: undefined });
    }
    this.renewals.clear();
    this.gathering = undefined;
  }
}

/** Nobody waits for its answer: id 0. */
function request(field: number, body: Uint8Array): Uint8Array {
  return encodeRaftRequest({ id: 0n, field, body });
}
