/**
 * One member without its disk, network and clock: events in, effects out. The driver (real processes) and the
 * simulator (all members in one) call the same two methods: `step` for each event that arrived, then `turn` once.
 *
 * A turn proposes everything that waits, asks for reads, lets raft speak, and applies what is committed: in
 * memory, at once. What must be durable first hangs on the append that makes it so (`PendingAppend.responses`).
 *
 * Absent here: await, clocks, node:*, and whoever waits for an answer.
 */

import type { ApplyObserver } from "../../apply/applier.js";
import { assert } from "../../base/assert.js";
import type { Index, LeaseId } from "../../base/brand.js";
import { failpoints } from "../../base/failpoint.js";
import { limits } from "../../base/limits.js";
import type { LogMark } from "../../ports/raft-log.js";
import type { MemoryLog } from "../../raft/log-store.js";
import {
  isLocalTarget,
  type Message,
  type StorageAppendMessage,
  type StorageApplyMessage,
} from "../../raft/message.js";
import type { RaftNode } from "../../raft/node.js";
import { type Entry, EntryType } from "../../raft/types.js";
import { applyConfChangeEntry } from "./conf-changes.js";
import { type CoreEvent, type Effects, noEffects, type ReadTicket } from "./events.js";
import { LeaseDuty } from "./lease-duty.js";
import { retainedFrom } from "./log-retention.js";
import { ProposalQueue } from "./proposals.js";
import { ReadTable } from "./reads.js";
import type { ReplicatedState } from "./replicated-state.js";

export interface CoreOptions {
  /** Unlike at any earlier start of this member: tells reads of this life from those of an earlier one. */
  readonly incarnation: number;
  /** Linearizable reads are asked anew after this many ticks without an answer. */
  readonly readRetryTicks: number;
  /** A new leader lets every lease live so much longer. */
  readonly electionTimeoutMs: number;
  /** Entries applied after which the log is cut (--snapshot-count). */
  readonly snapshotCount: number;
  /** Entries kept in memory behind the cut, for followers that lag (--snapshot-catchup-entries). */
  readonly catchUpEntries: number;
}

export interface CoreDeps {
  readonly raft: RaftNode;
  readonly log: MemoryLog;
  readonly state: ReplicatedState;
  /** Where the log was last cut. */
  readonly lastCut: Index;
  readonly applyObserver: ApplyObserver;
}

/** Entries applied in one turn at most: with the byte bound of raft's pages, below about 10 ms of work. */
const entriesPerTurnMax = 5_000;

export class MemberCore {
  private readonly proposals = new ProposalQueue();
  private readonly reads: ReadTable;
  private readonly leases: LeaseDuty;
  private readonly applyQueue: StorageApplyMessage[] = [];
  /**
   * A candidate asks for votes only when its own term and vote are durable. Else the votes of the others could make
   * it leader before that; after a crash it would not know of the term, could win it once more, and make other
   * entries with the same index and term (Raft thesis, section 3.8).
   */
  private voteRequests: Message[] = [];
  private effects: Effects = noEffects();
  private replicated: ReplicatedState;
  private lastCut: Index;
  private appliedIndex: Index;

  constructor(
    private readonly options: CoreOptions,
    private readonly deps: CoreDeps,
  ) {
    const { id } = deps.raft.status();
    this.reads = new ReadTable({ id, incarnation: options.incarnation, retryTicks: options.readRetryTicks });
    this.replicated = deps.state;
    this.leases = new LeaseDuty(
      { extendMs: options.electionTimeoutMs },
      { raft: deps.raft, reads: this.reads },
      deps.state.deps.leases,
    );
    this.lastCut = deps.lastCut;
    this.appliedIndex = deps.state.deps.records.durableApplied.index;
  }

  get raft(): RaftNode {
    return this.deps.raft;
  }

  get state(): ReplicatedState {
    return this.replicated;
  }

  /** Index of the last entry whose effects reads see. */
  get applied(): Index {
    return this.appliedIndex;
  }

  /**
   * Whether what is asked of this member now is answered rightly without asking anybody: it leads, nobody else has a
   * vote to depose it with, and it has applied all there is.
   */
  get decidesAlone(): boolean {
    const { state } = this.deps.raft;
    return (
      state.tracker.isSingleton &&
      state.role === "leader" &&
      this.leases.leadsInTerm === state.term &&
      this.appliedIndex === state.log.committed
    );
  }

  /** Seconds that a kept lease lives from now, 0 where there is no such lease; undefined: "renewLease" has to be asked. */
  renewAtOnce(lease: LeaseId): number | undefined {
    return this.decidesAlone ? this.leases.renewAtOnce(lease) : undefined;
  }

  /** Takes note of an event; what follows from it comes with the next `turn`. */
  step(event: CoreEvent): void {
    const { raft } = this.deps;
    switch (event.type) {
      case "tick":
        this.reads.tick();
        raft.tick();
        this.leases.tick(event.nowMs);
        return;
      case "propose":
        if (!this.proposals.add(event.id, event.data)) this.refuse([event.id]);
        return;
      case "proposeConfChange":
        if (raft.proposeConfChange(event.change).kind !== "accepted") this.refuse([event.id]);
        return;
      case "abandon":
        this.proposals.abandon(event.id);
        return;
      case "read":
        this.reads.add(event.ticket);
        return;
      case "renewLease":
        this.leases.renew(event);
        return;
      case "message":
        raft.step(event.message);
        return;
      case "persisted":
        for (const response of event.responses) raft.step(response);
        return;
      case "cut":
        this.cut(event.mark);
        return;
      case "unreachable":
        raft.reportUnreachable(event.peer);
        return;
      case "snapshotSent":
        raft.reportSnapshot(event.peer, event.arrived);
        return;
      case "campaign":
        raft.campaign();
        return;
      case "transferLeadership":
        this.leases.handOver();
        raft.transferLeadership(event.target);
        return;
    }
  }

  /** Everything that follows from the events since the last turn. */
  turn(): Effects {
    const { raft } = this.deps;
    this.leases.beginTurn();
    this.propose();
    this.leases.propose();
    this.askForReads();
    let budget = entriesPerTurnMax;
    while (true) {
      budget -= this.applyQueued(budget);
      if (budget <= 0 || !raft.hasReady()) break;
      this.absorbReady();
    }
    this.releaseReads();
    this.effects.renewals = this.leases.takeAnswers();
    this.effects.more =
      this.leases.wantsTurn || raft.hasReady() || (this.applyQueue.length > 0 && !this.storeIsFull());
    if (this.appliedIndex - this.lastCut >= this.options.snapshotCount)
      this.effects.cutAt = this.appliedIndex;
    const effects = this.effects;
    this.effects = noEffects();
    return effects;
  }

  /** A snapshot was installed: `state` is what the log up to `mark` built. Follows the append that carried it. */
  adopt(state: ReplicatedState, mark: LogMark): void {
    assert(mark.index > this.appliedIndex, "a snapshot that is installed is ahead of what was applied");
    this.replicated = state;
    this.leases.adopt(state.deps.leases);
    this.appliedIndex = mark.index;
    this.lastCut = mark.index;
    this.effects.membershipChanged = true;
  }

  private propose(): void {
    if (this.proposals.empty) return;
    const outcome = this.deps.raft.propose(this.proposals.payloads());
    if (outcome.kind === "accepted") this.proposals.clear();
    else if (outcome.reason === "uncommittedBytes") this.refuse(this.proposals.clear());
    // Without a leader, or while one hands over, they wait for the next.
  }

  private refuse(ids: readonly bigint[]): void {
    for (const id of ids) this.effects.refused.push({ id, reason: "tooManyRequests" });
  }

  private askForReads(): void {
    if (this.reads.canBegin && this.deps.raft.state.leader !== 0n)
      this.deps.raft.readIndex(this.reads.begin());
  }

  private releaseReads(): void {
    const released: ReadTicket[] = [];
    this.reads.release(this.appliedIndex, released);
    for (const ticket of released) {
      if (ticket > 0) this.effects.reads.push(ticket);
      else this.leases.confirmed(ticket);
    }
  }

  private absorbReady(): void {
    const ready = this.deps.raft.ready();
    if (ready.softState !== undefined) {
      this.effects.leaderChanged = true;
      this.reads.forgetQuestion();
      this.askForReads();
    }
    for (const read of ready.readStates) this.reads.confirm(read.context, read.index);
    for (const message of ready.messages) this.route(message, ready.mustSync);
    assert(this.voteRequests.length === 0, "a candidate's new term comes with what it asks of others");
    this.askForReads();
  }

  private route(message: Message, mustSync: boolean): void {
    if (message.type === "MsgStorageAppend") this.queueAppend(message, mustSync);
    else if (message.type === "MsgVote") this.voteRequests.push(message);
    else if (message.type === "MsgStorageApply") this.applyQueue.push(message);
    else if (message.type === "MsgSnap") this.effects.snapshotMessages.push(message);
    else {
      assert(!isLocalTarget(message.to), "only storage messages go to a local target");
      this.effects.messages.push(message);
    }
  }

  private queueAppend(message: StorageAppendMessage, mustSync: boolean): void {
    const { snapshot, entries, hardState, responses } = message;
    const mark = snapshot?.metadata;
    if (snapshot !== undefined) this.passOverQueued();
    const dependent = responses.concat(this.voteRequests);
    this.voteRequests = [];
    this.effects.appends.push({
      append: { entries, hardState, mark },
      mustSync: mustSync || snapshot !== undefined,
      snapshot,
      responses: dependent,
    });
  }

  /** Applies queued pages while `budget` entries and the store's room last; gives the entries applied. */
  private applyQueued(budget: number): number {
    let count = 0;
    while (count < budget && this.applyQueue.length > 0 && !this.storeIsFull()) {
      const page = this.applyQueue.shift()!;
      this.deps.applyObserver.begin();
      for (const entry of page.entries) this.applyEntry(entry);
      count += page.entries.length;
      const last = page.entries.at(-1);
      if (last !== undefined) {
        this.replicated.seal({ index: last.index, term: last.term });
        this.leases.applied(last.term);
      }
      for (const response of page.responses) this.deps.raft.step(response);
    }
    return count;
  }

  /** The image holds what these pages would do, and the store that they would go to is about to be closed. */
  private passOverQueued(): void {
    for (const page of this.applyQueue.splice(0)) {
      for (const response of page.responses) this.deps.raft.step(response);
    }
  }

  private applyEntry(entry: Entry): void {
    assert(entry.index === this.appliedIndex + 1, "entries are applied once each, in order");
    if (entry.type === EntryType.Normal) {
      failpoints.beforeApplyOneEntryNormal?.();
      const applied = this.replicated.applier.apply(entry.data);
      if (applied !== undefined) {
        this.effects.applied.push(applied);
        this.deps.applyObserver.applied(applied);
      }
    } else {
      this.effects.applied.push(applyConfChangeEntry(entry, this.deps.raft, this.replicated));
      this.effects.membershipChanged = true;
      this.deps.applyObserver.begin();
    }
    this.appliedIndex = entry.index;
  }

  private storeIsFull(): boolean {
    return this.replicated.deps.records.pendingBytes > limits.pendingRevisionBytesMax;
  }

  private cut(mark: LogMark): void {
    const { log, raft } = this.deps;
    // A snapshot may have been installed while the mark was on its way to the disk.
    this.lastCut = Math.max(this.lastCut, mark.index);
    log.createSnapshot(mark);
    const followers = raft.status().progress.values();
    log.compact(retainedFrom(mark.index, this.options, { log, followers }));
  }
}
