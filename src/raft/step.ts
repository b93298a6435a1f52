/**
 * The entry of every message: terms first (Raft thesis, section 3.3), then what every role does alike, then the
 * role.
 */
import { unreachable } from "../base/assert.js";
import { stepCandidate } from "./candidate.js";
import { answerVote, isPromotable, leaderHoldsLease, refuseVote, standForElection } from "./election.js";
import { entriesSizeBytes, payloadBytes } from "./entry-page.js";
import { stepFollower } from "./follower.js";
import { stepLeader, tickLeader } from "./leader.js";
import { noteApplied } from "./leader-proposals.js";
import type { Message, RoleMessage, StorageApplyResponse } from "./message.js";
import { noMember } from "./message.js";
import { acknowledge } from "./replication.js";
import type { ProposeOutcome, RaftState } from "./state.js";
import { accepted } from "./state.js";
import { becomeFollower } from "./transitions.js";
import type { Snapshot } from "./types.js";

export function step(state: RaftState, message: Message): ProposeOutcome {
  // Term 0 marks what is not bound to a term.
  if (message.term > state.term) {
    if (!takeHigherTerm(state, message)) return accepted;
  } else if (message.term !== 0 && message.term < state.term) {
    takeLowerTerm(state, message);
    return accepted;
  }
  switch (message.type) {
    case "MsgHup":
      standForElection(state, state.config.preVote ? "preElection" : "election");
      return accepted;
    case "MsgStorageAppendResp":
      if (message.snapshot !== undefined) noteInstalled(state, message.snapshot);
      if (message.index !== 0) state.log.stableTo({ term: message.logTerm, index: message.index });
      return accepted;
    case "MsgStorageApplyResp":
      noteAppliedEntries(state, message);
      return accepted;
    case "MsgVote":
    case "MsgPreVote":
      answerVote(state, message);
      return accepted;
    case "MsgStorageAppend":
    case "MsgStorageApply":
      // For the local storage, which this is not.
      return accepted;
    default:
      return stepRole(state, message);
  }
}

function stepRole(state: RaftState, message: RoleMessage): ProposeOutcome {
  const { role } = state;
  switch (role) {
    case "follower":
      return stepFollower(state, message);
    case "candidate":
    case "preCandidate":
      return stepCandidate(state, message);
    case "leader":
      return stepLeader(state, message);
    default:
      return unreachable(role, "role");
  }
}

/** False where the message is to be ignored: a vote within a leader's lease. */
function takeHigherTerm(state: RaftState, message: Message): boolean {
  switch (message.type) {
    case "MsgPreVote":
      return !leaderHoldsLease(state, message);
    case "MsgPreVoteResp":
      // Granted, it bears the term of an election that has not begun. Refused, it bears the other's own.
      if (message.reject) becomeFollower(state, message.term, noMember);
      return true;
    case "MsgVote":
      if (leaderHoldsLease(state, message)) return false;
      becomeFollower(state, message.term, noMember);
      return true;
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      becomeFollower(state, message.term, message.from);
      return true;
    default:
      becomeFollower(state, message.term, noMember);
      return true;
  }
}

function takeLowerTerm(state: RaftState, message: Message): void {
  switch (message.type) {
    case "MsgHeartbeat":
    case "MsgApp":
      // A leader of an old term, or one that this member left behind when its own term rose in a partition. With
      // these options votes do not depose that one, and nothing else would: the higher term in this answer does.
      if (state.config.checkQuorum || state.config.preVote) acknowledge(state, message.from, 0);
      return;
    case "MsgPreVote":
      // Without an answer, members of different terms could wait for each other for ever.
      refuseVote(state, message.from, message.type);
      return;
    case "MsgStorageAppendResp":
      // Entries may have been replaced since by those of a later term, which are still being written. A snapshot
      // is committed, whatever the term.
      if (message.snapshot !== undefined) noteInstalled(state, message.snapshot);
      return;
    default:
  }
}

function noteInstalled(state: RaftState, snapshot: Snapshot): void {
  const { index } = snapshot.metadata;
  state.log.stableSnapshotTo(index);
  noteApplied(state, index, 0);
}

function noteAppliedEntries(state: RaftState, { entries }: StorageApplyResponse): void {
  const last = entries.at(-1);
  if (last === undefined) return;
  noteApplied(state, last.index, entriesSizeBytes(entries));
  const { leadership } = state;
  leadership.uncommittedBytes = Math.max(0, leadership.uncommittedBytes - payloadBytes(entries));
}

export function tick(state: RaftState): void {
  if (state.role === "leader") {
    tickLeader(state);
    return;
  }
  const { timer } = state;
  timer.electionElapsed++;
  if (!isPromotable(state) || timer.electionElapsed < timer.electionTimeout) return;
  timer.electionElapsed = 0;
  standForElection(state, state.config.preVote ? "preElection" : "election");
}
