/**
 * The state of one member between events. The rooms beside this file are functions over it: follower.ts,
 * candidate.ts and leader*.ts for what a role does with a message, election.ts and transitions.ts for how roles
 * change, replication.ts for what a leader sends, configuration.ts for the membership, step.ts as the entry.
 */
import { assert } from "../base/assert.js";
import type { Index, MemberId, Term } from "../base/brand.js";
import type { RaftConfig } from "./config.js";
import type { Message } from "./message.js";
import { noMember } from "./message.js";
import { RaftLog } from "./raft-log.js";
import { ReadQueue } from "./read-queue.js";
import { ProgressTracker } from "./tracker/tracker.js";
import type { HardState } from "./types.js";

export type Role = "follower" | "candidate" | "leader" | "preCandidate";

/** A read that was asked for here may be answered once `index` is applied. */
export interface ReadState {
  readonly index: Index;
  readonly context: Uint8Array;
}

export interface SoftState {
  readonly leader: MemberId;
  readonly role: Role;
}

/** Why a proposal did not enter the log. It may be made again, but for "removed" and "malformed". */
export type DropReason =
  | "noLeader"
  | "notForwarded"
  | "transferring"
  | "removed"
  | "uncommittedBytes"
  | "malformed";

export type ProposeOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "dropped"; readonly reason: DropReason };

export const accepted: ProposeOutcome = { kind: "accepted" };

export function dropped(reason: DropReason): ProposeOutcome {
  return { kind: "dropped", reason };
}

/** What waits for the next Ready. */
export interface Outbox {
  /** May be sent at once. */
  messages: Message[];
  /** Only after all that is unstable now is durable: votes and acknowledgements. Raft thesis, section 3.8. */
  afterAppend: Message[];
  readStates: ReadState[];
}

export interface Timer {
  /** Ticks since the last sign of a leader, or, on a leader, since the quorum was last checked. */
  electionElapsed: number;
  /** Ticks since a leader's last heartbeat. */
  heartbeatElapsed: number;
  /** electionTicks to twice that, drawn anew with each role and term, so that members do not collide for ever. */
  electionTimeout: number;
}

/** Of a leader only; cleared at each change of role or term. */
export interface Leadership {
  /** Leadership is being handed to this member; none: `noMember`. Raft thesis, section 3.10. */
  transferee: MemberId;
  /** No membership change may be proposed until this index is applied. */
  pendingConfIndex: Index;
  /** Payload of the uncommitted tail; never more than it really is. */
  uncommittedBytes: number;
}

export class RaftState {
  term: Term = 0;
  vote: MemberId = noMember;
  leader: MemberId = noMember;
  role: Role = "follower";
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;
  readonly reads = new ReadQueue();
  readonly outbox: Outbox = { messages: [], afterAppend: [], readStates: [] };
  readonly timer: Timer = { electionElapsed: 0, heartbeatElapsed: 0, electionTimeout: 0 };
  readonly leadership: Leadership = { transferee: noMember, pendingConfIndex: 0, uncommittedBytes: 0 };

  constructor(readonly config: RaftConfig) {
    this.log = new RaftLog(config.log, config.committedBytesMax);
    this.tracker = new ProgressTracker({
      messagesMax: config.inflightMessagesMax,
      bytesMax: config.inflightBytesMax,
    });
  }

  get id(): MemberId {
    return this.config.id;
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  get softState(): SoftState {
    return { leader: this.leader, role: this.role };
  }

  /** Queues a message; votes and acknowledgements wait until what they speak of is durable. */
  send(message: Message): void {
    switch (message.type) {
      case "MsgAppResp":
      case "MsgVoteResp":
      case "MsgPreVoteResp":
        this.outbox.afterAppend.push(message);
        return;
      default:
        assert(message.to !== this.id, "a member does not send to itself");
        this.outbox.messages.push(message);
    }
  }

  /** `text` is made only when someone listens. */
  trace(text: () => string): void {
    this.config.trace?.(`${this.id.toString(16)} ${text()}`);
  }
}
