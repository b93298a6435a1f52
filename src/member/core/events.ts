/**
 * What can happen to a member, and what it then wants done. Order is data: an effect says what must be durable
 * before it may be sent, and nothing awaits anything.
 */

import type { AppliedRequest } from "../../apply/applier.js";
import type { Index, LeaseId, MemberId, RequestId } from "../../base/brand.js";
import type { RenewalTicket } from "../../lease/countdown.js";
import type { LeaseAnswer } from "../../lease/lease-timing.js";
import type { LogAppend, LogMark } from "../../ports/raft-log.js";
import type { ConfChange } from "../../raft/conf-change.js";
import type { Message } from "../../raft/message.js";
import type { Snapshot } from "../../raft/types.js";

/** Names a waiting linearizable read, from 1; the driver knows who waits. */
export type ReadTicket = number;

export type CoreEvent =
  /** One heartbeat interval passed. `nowMs` is the member's monotonic clock, never less than at the tick before. */
  | { readonly type: "tick"; readonly nowMs: number }
  | { readonly type: "propose"; readonly id: RequestId; readonly data: Uint8Array }
  | { readonly type: "proposeConfChange"; readonly id: RequestId; readonly change: ConfChange }
  /** The waiter gave up: the proposal is not proposed any more if it still waits for a leader. */
  | { readonly type: "abandon"; readonly id: RequestId }
  | { readonly type: "read"; readonly ticket: ReadTicket }
  /** A client keeps a lease alive; the answer is in `Effects.renewals`. */
  | { readonly type: "renewLease"; readonly ticket: RenewalTicket; readonly lease: LeaseId }
  | { readonly type: "message"; readonly message: Message }
  /** An append is durable: `responses` are its messages, of which those to others were sent by the driver. */
  | { readonly type: "persisted"; readonly responses: readonly Message[] }
  /** The store is durable up to `mark` and the log says so: entries before it may leave memory. */
  | { readonly type: "cut"; readonly mark: LogMark }
  | { readonly type: "unreachable"; readonly peer: MemberId }
  | { readonly type: "snapshotSent"; readonly peer: MemberId; readonly arrived: boolean }
  | { readonly type: "transferLeadership"; readonly target: MemberId }
  /** Stand for election now: for a member that is alone. */
  | { readonly type: "campaign" };

/** One step of the log to make durable. */
export interface PendingAppend {
  readonly append: LogAppend;
  /** False where a commit index moved at most: it may be lost without harm. */
  readonly mustSync: boolean;
  /** A snapshot to install before the log says so: the image that came with it. */
  readonly snapshot: Snapshot | undefined;
  /**
   * To be sent, or given back as a `persisted` event, only once this append is durable; where it need not be
   * synced, once all before it are: what such answers speak of was handed out earlier.
   */
  readonly responses: readonly Message[];
  /** Called when this append is durable; for steps of the driver's own (a cut of the log). */
  readonly durable?: () => void;
}

/** A request that ended without being applied. */
export interface RefusedRequest {
  readonly id: RequestId;
  readonly reason: "tooManyRequests";
}

/** Everything that one turn wants done. */
export interface Effects {
  /** In this order; group commit: all of one turn, and of the turns while the disk works, in one write. */
  readonly appends: PendingAppend[];
  /** May leave at once: replication goes on in parallel with the own disk (Raft thesis section 10.2.1). */
  readonly messages: Message[];
  /** Need an image of the store beside them. */
  readonly snapshotMessages: Message[];
  readonly applied: AppliedRequest[];
  readonly refused: RefusedRequest[];
  /** Reads that may now be answered from local state. */
  readonly reads: ReadTicket[];
  /** Keep-alives that are decided. */
  renewals: readonly LeaseAnswer[];
  /** Set when the members or their URLs changed. */
  membershipChanged: boolean;
  /** Set when the leader, or this member's role, changed. */
  leaderChanged: boolean;
  /** Set when enough entries were applied that the log should be cut here. */
  cutAt: Index | undefined;
  /** Work is left that did not fit this turn: run another one after other events had their chance. */
  more: boolean;
}

export function noEffects(): Effects {
  return {
    appends: [],
    messages: [],
    snapshotMessages: [],
    applied: [],
    refused: [],
    reads: [],
    renewals: [],
    membershipChanged: false,
    leaderChanged: false,
    cutAt: undefined,
    more: false,
  };
}
