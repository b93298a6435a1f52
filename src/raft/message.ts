/**
 * The messages of Raft (raftpb.Message) as a union: each variant has the fields that it uses and no others.
 * Where etcd's schema reuses a field, the name here says what it means: a forced vote request is
 * `context = "CampaignTransfer"` on the wire, the context of a read is the data of a lone entry.
 */
import type { Index, MemberId, Term } from "../base/brand.js";
import type { Entry, HardState, Snapshot } from "./types.js";

/** No member: a leader that is not known, a vote not given. */
export const noMember: MemberId = 0n;
/** Pseudo-target of `MsgStorageAppend`: whoever writes the Raft log. */
export const LocalAppendThread: MemberId = 0xffff_ffff_ffff_ffffn;
/** Pseudo-target of `MsgStorageApply`: whoever applies committed entries. */
export const LocalApplyThread: MemberId = 0xffff_ffff_ffff_fffen;

/** True for the pseudo-targets, which are never sent over the network. */
export function isLocalTarget(id: MemberId): boolean {
  return id === LocalAppendThread || id === LocalApplyThread;
}

interface Addressed {
  readonly to: MemberId;
  readonly from: MemberId;
  /** Term of the sender; 0 where the message is not bound to a term (proposals, forwarded reads, local ones). */
  readonly term: Term;
}

/** An entry before the leader gave it a term and an index. */
export type Proposal = Pick<Entry, "type" | "data">;

/** Without further fields: start an election, send heartbeats, check the quorum, a peer cannot be reached, … */
export interface PlainMessage extends Addressed {
  readonly type:
    | "MsgHup"
    | "MsgBeat"
    | "MsgUnreachable"
    | "MsgCheckQuorum"
    | "MsgTransferLeader"
    | "MsgTimeoutNow"
    | "MsgForgetLeader";
}

export interface ProposeMessage extends Addressed {
  readonly type: "MsgProp";
  readonly entries: readonly Proposal[];
}

/** AppendEntries. Raft thesis, figure 3.1. */
export interface AppendMessage extends Addressed {
  readonly type: "MsgApp";
  /** Index and term of the entry before `entries`. */
  readonly index: Index;
  readonly logTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: Index;
}

export interface AppendResponse extends Addressed {
  readonly type: "MsgAppResp";
  /** Accepted: the last index that matches the leader's log. Rejected: the index of the append in question. */
  readonly index: Index;
  readonly reject: boolean;
  /** Where the leader should try next, and the follower's term there (0 when unknown). 0 when accepted. */
  readonly rejectHint: Index;
  readonly logTerm: Term;
}

/** RequestVote, real or preliminary (Raft thesis, section 9.6). */
export interface VoteMessage extends Addressed {
  readonly type: "MsgVote" | "MsgPreVote";
  /** The candidate's last entry. */
  readonly index: Index;
  readonly logTerm: Term;
  /** Asked for by a leader that hands over: goes through though its lease has not run out. */
  readonly forced: boolean;
}

export interface VoteResponse extends Addressed {
  readonly type: "MsgVoteResp" | "MsgPreVoteResp";
  readonly reject: boolean;
}

export interface SnapshotMessage extends Addressed {
  readonly type: "MsgSnap";
  readonly snapshot: Snapshot;
}

export interface HeartbeatMessage extends Addressed {
  readonly type: "MsgHeartbeat";
  readonly commit: Index;
  /** Names the reads that the answer confirms; empty for none. */
  readonly context: Uint8Array;
}

export interface HeartbeatResponse extends Addressed {
  readonly type: "MsgHeartbeatResp";
  readonly context: Uint8Array;
}

/** The fate of a snapshot that was sent to `from`. */
export interface SnapshotStatusMessage extends Addressed {
  readonly type: "MsgSnapStatus";
  readonly reject: boolean;
}

export interface ReadIndexMessage extends Addressed {
  readonly type: "MsgReadIndex";
  readonly context: Uint8Array;
}

export interface ReadIndexResponse extends Addressed {
  readonly type: "MsgReadIndexResp";
  readonly index: Index;
  readonly context: Uint8Array;
}

/**
 * For the writer of the Raft log: make `entries`, `hardState` and `snapshot` durable (snapshot replaces the log),
 * THEN deliver `responses`. To be processed in the order given. Without responses it need not be durable.
 */
export interface StorageAppendMessage extends Addressed {
  readonly type: "MsgStorageAppend";
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly responses: readonly Message[];
}

/** Everything up to the named entry, and the snapshot, is durable. */
export interface StorageAppendResponse extends Addressed {
  readonly type: "MsgStorageAppendResp";
  /** 0 when only a snapshot or hard state is confirmed. */
  readonly index: Index;
  readonly logTerm: Term;
  readonly snapshot: Snapshot | undefined;
}

/** For whoever applies: apply `entries`, THEN deliver `responses`. To be processed in the order given. */
export interface StorageApplyMessage extends Addressed {
  readonly type: "MsgStorageApply";
  readonly entries: readonly Entry[];
  readonly responses: readonly Message[];
}

export interface StorageApplyResponse extends Addressed {
  readonly type: "MsgStorageApplyResp";
  readonly entries: readonly Entry[];
}

export type Message =
  | PlainMessage
  | ProposeMessage
  | AppendMessage
  | AppendResponse
  | VoteMessage
  | VoteResponse
  | SnapshotMessage
  | HeartbeatMessage
  | HeartbeatResponse
  | SnapshotStatusMessage
  | ReadIndexMessage
  | ReadIndexResponse
  | StorageAppendMessage
  | StorageAppendResponse
  | StorageApplyMessage
  | StorageApplyResponse;

export type MessageType = Message["type"];

/** Messages whose effect depends on the role; the others have one effect in all. */
export type RoleMessage = Exclude<
  Message,
  VoteMessage | StorageAppendMessage | StorageAppendResponse | StorageApplyMessage | StorageApplyResponse
>;

/** In the order of raftpb.MessageType: the position is the number on the wire. */
export const messageTypes = [
  "MsgHup",
  "MsgBeat",
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgStorageAppend",
  "MsgStorageAppendResp",
  "MsgStorageApply",
  "MsgStorageApplyResp",
  "MsgForgetLeader",
] as const satisfies readonly MessageType[];

const localTypes: ReadonlySet<MessageType> = new Set([
  "MsgHup",
  "MsgBeat",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgStorageAppend",
  "MsgStorageAppendResp",
  "MsgStorageApply",
  "MsgStorageApplyResp",
]);

const responseTypes: ReadonlySet<MessageType> = new Set([
  "MsgAppResp",
  "MsgVoteResp",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgReadIndexResp",
  "MsgPreVoteResp",
  "MsgStorageAppendResp",
  "MsgStorageApplyResp",
]);

/** True for messages that a member only sends to itself; one from the network is refused. */
export function isLocalType(type: MessageType): boolean {
  return localTypes.has(type);
}

/** True for answers, which count only when they come from a member of the configuration. */
export function isResponseType(type: MessageType): boolean {
  return responseTypes.has(type);
}
