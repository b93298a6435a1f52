/** Standing for election and voting. Raft thesis, sections 3.4, 3.6.1, 3.10 and 9.6. */
import type { MemberId } from "../base/brand.js";
import type { VoteMessage, VoteResponse } from "./message.js";
import { noMember } from "./message.js";
import { jointVoterIds } from "./quorum/joint.js";
import type { RaftState } from "./state.js";
import { becomeCandidate, becomePreCandidate } from "./transitions.js";
import { EntryType } from "./types.js";

/** preElection: ask whether it could be won. transfer: a leader asked for it, so its lease does not count. */
export type CampaignKind = "preElection" | "election" | "transfer";

/** A voter that is not about to be replaced by a snapshot can stand for election. */
export function isPromotable(state: RaftState): boolean {
  const own = state.tracker.progress.get(state.id);
  return own !== undefined && !own.isLearner && state.log.unstable.snapshot === undefined;
}

/** Starts an election if that is allowed now. */
export function standForElection(state: RaftState, kind: CampaignKind): void {
  if (state.role === "leader") return;
  if (!isPromotable(state)) {
    state.trace(() => "is unpromotable and can not campaign");
    return;
  }
  if (hasUnappliedConfChange(state)) {
    state.trace(() => `can not campaign at term ${state.term}: a membership change waits to be applied`);
    return;
  }
  state.trace(() => `starts a new election at term ${state.term}`);
  campaign(state, kind);
}

/** With one, this member might count the votes of a configuration that is no longer in force. */
function hasUnappliedConfChange(state: RaftState): boolean {
  const { log } = state;
  for (let index = log.applied + 1; index <= log.committed; index++) {
    if (log.entry(index).type !== EntryType.Normal) return true;
  }
  return false;
}

/** Asks every voter, itself included: its own vote counts when it is durable, like any other. */
export function campaign(state: RaftState, kind: CampaignKind): void {
  if (kind === "preElection") becomePreCandidate(state);
  else becomeCandidate(state);
  const preliminary = kind === "preElection";
  // A preliminary vote is asked for the term that the election would have.
  const term = preliminary ? state.term + 1 : state.term;
  const { index, term: logTerm } = state.log.last();
  for (const to of jointVoterIds(state.tracker.config)) {
    const address = { to, from: state.id, term };
    if (to === state.id) {
      state.send({ type: preliminary ? "MsgPreVoteResp" : "MsgVoteResp", ...address, reject: false });
    } else {
      const forced = kind === "transfer";
      state.send({ type: preliminary ? "MsgPreVote" : "MsgVote", ...address, index, logTerm, forced });
    }
  }
}

/** True where a vote request is not even looked at: the leader was heard from within its lease. */
export function leaderHoldsLease(state: RaftState, message: VoteMessage): boolean {
  if (message.forced || !state.config.checkQuorum || state.leader === noMember) return false;
  return state.timer.electionElapsed < state.config.electionTicks;
}

/**
 * Grants or refuses a vote. Learners vote too: a member that was promoted may not know it yet, and the election
 * may need it.
 */
export function answerVote(state: RaftState, message: VoteMessage): void {
  const { type, from, term, index, logTerm } = message;
  const mayVote =
    state.vote === from ||
    (state.vote === noMember && state.leader === noMember) ||
    (type === "MsgPreVote" && term > state.term);
  const granted = mayVote && state.log.isUpToDate({ term: logTerm, index });
  state.trace(() => `${granted ? "gives" : "refuses"} ${type} to ${from.toString(16)} at term ${state.term}`);
  if (!granted) {
    refuseVote(state, from, type);
    return;
  }
  // The answer bears the term of the question: a preliminary one may be ahead of ours, and an answer of our own
  // term would be ignored as old.
  const answer = type === "MsgVote" ? "MsgVoteResp" : "MsgPreVoteResp";
  state.send({ type: answer, to: from, from: state.id, term, reject: false });
  if (type === "MsgVote") {
    state.timer.electionElapsed = 0;
    state.vote = from;
  }
}

export function refuseVote(state: RaftState, to: MemberId, asked: VoteMessage["type"]): void {
  const type: VoteResponse["type"] = asked === "MsgVote" ? "MsgVoteResp" : "MsgPreVoteResp";
  state.send({ type, to, from: state.id, term: state.term, reject: true });
}
