/**
 * One member's consensus: events in by the methods, everything that follows from them out by `ready`. No clock,
 * no disk, no network, no random source but the one in the config.
 *
 * A member's life: fill a `MemoryLog` with what was recovered, make a `RaftNode`; on every event call a method,
 * then take `ready` while `hasReady`, and work it off in the order that `Ready` (or, with asynchronous storage
 * writes, the storage messages) states. Committed membership changes are put in force with `applyConfChange`
 * while they are applied, before the entries behind them.
 *
 * Caveats: time is ticks, so the owner's clock decides what "electionTicks" means; a lease for reads is as good
 * as that clock.
 */
import { assert } from "../base/assert.js";
import type { Index, MemberId, Term } from "../base/brand.js";
import { encodeConfChange, encodeConfChangeV2 } from "./codec.js";
import type { ConfChange, ConfChangeV2 } from "./conf-change.js";
import { toConfChangeV2 } from "./conf-change.js";
import type { RaftConfig } from "./config.js";
import { checkConfig } from "./config.js";
import { applyConfChange, restoreConfiguration } from "./configuration.js";
import type { Message, Proposal } from "./message.js";
import { isLocalTarget, isLocalType, isResponseType, noMember } from "./message.js";
import type { BuiltReady, HandedOut, Ready } from "./ready.js";
import { buildReady, hasReady } from "./ready.js";
import type { ProposeOutcome, Role } from "./state.js";
import { RaftState } from "./state.js";
import { step, tick } from "./step.js";
import type { ProgressState } from "./tracker/progress.js";
import { becomeFollower } from "./transitions.js";
import type { ConfState } from "./types.js";
import { EntryType } from "./types.js";

export type { RaftConfig } from "./config.js";
export type { Ready } from "./ready.js";
export type { DropReason, ProposeOutcome, ReadState, Role, SoftState } from "./state.js";

export type StepOutcome =
  | ProposeOutcome
  /** Not for this member to hear: a local message from the network, or an answer of one who is no member. */
  | { readonly kind: "refused"; readonly reason: "localMessage" | "unknownPeer" };

export interface MemberProgress {
  readonly match: Index;
  readonly next: Index;
  readonly state: ProgressState;
  readonly recentActive: boolean;
  readonly isLearner: boolean;
}

export interface RaftStatus {
  readonly id: MemberId;
  readonly term: Term;
  readonly vote: MemberId;
  readonly commit: Index;
  readonly applied: Index;
  /** 0 when none is known. */
  readonly leader: MemberId;
  readonly role: Role;
  /** 0 when leadership is not being handed over. */
  readonly leadTransferee: MemberId;
  readonly config: ConfState;
  /** In ascending order of the ids; empty unless this is the leader. Made when read. */
  readonly progress: ReadonlyMap<MemberId, MemberProgress>;
}

export class RaftNode {
  /** For inspection, as by describe.ts: what changes it are the methods. */
  readonly state: RaftState;
  private handedOut: HandedOut;
  private stepsOnAdvance: BuiltReady["stepsOnAdvance"] = [];

  constructor(config: RaftConfig) {
    checkConfig(config);
    const state = new RaftState(config);
    this.state = state;
    const { hardState, confState } = config.log.initialState();
    restoreConfiguration(state, confState);
    const { log } = state;
    // A commit index is stored without a sync, so the store may be ahead of it; what it applied was committed.
    const commit = Math.max(hardState.commit, config.applied, log.committed);
    assert(hardState.commit === 0 || hardState.commit >= log.committed, "no more is cut than was committed");
    assert(commit <= log.lastIndex(), "what was committed or applied lies in the log that was stored");
    log.committed = commit;
    state.term = hardState.term;
    state.vote = hardState.vote;
    if (config.applied > 0) log.appliedTo(config.applied, 0);
    becomeFollower(state, state.term, noMember);
    this.handedOut = { softState: state.softState, hardState: state.hardState };
  }

  /** One unit of time passed. */
  tick(): void {
    tick(this.state);
  }

  /** Stands for election now. */
  campaign(): void {
    step(this.state, { type: "MsgHup", to: this.state.id, from: this.state.id, term: 0 });
  }

  /**
   * Proposes one entry per payload, at least one; all enter the log in a row or none. A follower passes them to
   * the leader: accepted then means sent, and nothing more.
   */
  propose(payloads: readonly Uint8Array[]): ProposeOutcome {
    assert(payloads.length > 0, "something is proposed");
    return this.proposeEntries(payloads.map((data) => ({ type: EntryType.Normal, data })));
  }

  /** Proposes a membership change. One that does not fit what is in force enters the log as an empty entry. */
  proposeConfChange(change: ConfChange | ConfChangeV2): ProposeOutcome {
    return this.proposeEntries([
      change.version === 1
        ? { type: EntryType.ConfChange, data: encodeConfChange(change) }
        : { type: EntryType.ConfChangeV2, data: encodeConfChangeV2(change) },
    ]);
  }

  private proposeEntries(entries: readonly Proposal[]): ProposeOutcome {
    const { id } = this.state;
    return step(this.state, { type: "MsgProp", to: id, from: id, term: 0, entries });
  }

  /**
   * Puts a committed change in force, unless the owner refused it: then it passes one with node id 0. Errors:
   * ConfChangeError when it does not fit; as it is committed the member can not go on then.
   */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    return applyConfChange(this.state, toConfChangeV2(change));
  }

  /** Hears a message of a peer, or the response to a storage message. */
  step(message: Message): StepOutcome {
    const fromStorage = isLocalTarget(message.from);
    if (!fromStorage && isLocalType(message.type)) return { kind: "refused", reason: "localMessage" };
    const isMember = (): boolean => this.state.tracker.progress.has(message.from);
    if (!fromStorage && isResponseType(message.type) && !isMember()) {
      return { kind: "refused", reason: "unknownPeer" };
    }
    return step(this.state, message);
  }

  /**
   * Asks for an index that makes a local read linearizable once it is applied; it comes as a read state with the
   * same context, or never: then ask again, with a fresh context.
   */
  readIndex(context: Uint8Array): void {
    step(this.state, { type: "MsgReadIndex", to: this.state.id, from: noMember, term: 0, context });
  }

  /** Asks the leader, wherever it is, to hand over to `target`. */
  transferLeadership(target: MemberId): void {
    step(this.state, { type: "MsgTransferLeader", to: this.state.id, from: target, term: 0 });
  }

  /** The owner knows that the leader is gone: votes need not wait out its lease. */
  forgetLeader(): void {
    step(this.state, { type: "MsgForgetLeader", to: this.state.id, from: this.state.id, term: 0 });
  }

  /** What was last sent to `id` probably got lost. */
  reportUnreachable(id: MemberId): void {
    step(this.state, { type: "MsgUnreachable", to: this.state.id, from: id, term: 0 });
  }

  /** A snapshot that was sent to `id` arrived, or got lost. One of the two must be told, or it waits for ever. */
  reportSnapshot(id: MemberId, arrived: boolean): void {
    step(this.state, { type: "MsgSnapStatus", to: this.state.id, from: id, term: 0, reject: !arrived });
  }

  /** True when `ready` has something. */
  hasReady(): boolean {
    return hasReady(this.state, this.handedOut);
  }

  /** What to do next. Without asynchronous storage writes `advance` follows before the next. */
  ready(): Ready {
    assert(this.stepsOnAdvance.length === 0, "a Ready is worked off before the next is taken");
    const { ready, stepsOnAdvance } = buildReady(this.state, this.handedOut);
    this.stepsOnAdvance = stepsOnAdvance;
    this.handedOut = {
      softState: ready.softState ?? this.handedOut.softState,
      hardState: ready.hardState ?? this.handedOut.hardState,
    };
    return ready;
  }

  /** The last Ready was worked off. Only without asynchronous storage writes. */
  advance(): void {
    assert(!this.state.config.asyncStorageWrites, "asynchronous storage writes are answered, not advanced");
    const steps = this.stepsOnAdvance;
    this.stepsOnAdvance = [];
    for (const message of steps) step(this.state, message);
  }

  status(): RaftStatus {
    const { state } = this;
    return {
      id: state.id,
      ...state.hardState,
      ...state.softState,
      applied: state.log.applied,
      leadTransferee: state.leadership.transferee,
      config: state.tracker.config,
      get progress() {
        return state.role === "leader" ? progressOf(state) : new Map<MemberId, MemberProgress>();
      },
    };
  }
}

function progressOf(state: RaftState): ReadonlyMap<MemberId, MemberProgress> {
  const members = new Map<MemberId, MemberProgress>();
  for (const [id, progress] of state.tracker.progress) {
    const { match, next, state: progressState, recentActive, isLearner } = progress;
    members.set(id, { match, next, state: progressState, recentActive, isLearner });
  }
  return members;
}
