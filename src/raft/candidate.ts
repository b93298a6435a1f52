/** What a candidate or pre-candidate does with a message. */
import { campaign } from "./election.js";
import { takeAppend, takeHeartbeat, takeSnapshot } from "./follower-log.js";
import type { RoleMessage, VoteResponse } from "./message.js";
import { noMember } from "./message.js";
import { broadcastAppend } from "./replication.js";
import type { ProposeOutcome, RaftState } from "./state.js";
import { accepted, dropped } from "./state.js";
import { becomeFollower, becomeLeader } from "./transitions.js";

export function stepCandidate(state: RaftState, message: RoleMessage): ProposeOutcome {
  switch (message.type) {
    case "MsgProp":
      return dropped("noLeader");
    case "MsgApp":
      becomeFollower(state, message.term, message.from);
      takeAppend(state, message);
      return accepted;
    case "MsgHeartbeat":
      becomeFollower(state, message.term, message.from);
      takeHeartbeat(state, message);
      return accepted;
    case "MsgSnap":
      becomeFollower(state, message.term, message.from);
      takeSnapshot(state, message);
      return accepted;
    case "MsgVoteResp":
      if (state.role === "candidate") countVote(state, message);
      return accepted;
    case "MsgPreVoteResp":
      // A late one, from before the real election began, counts no more.
      if (state.role === "preCandidate") countVote(state, message);
      return accepted;
    default:
      return accepted;
  }
}

function countVote(state: RaftState, message: VoteResponse): void {
  state.tracker.recordVote(message.from, !message.reject);
  const { granted, rejected, result } = state.tracker.tallyVotes();
  state.trace(() => `has received ${granted} ${message.type} and ${rejected} rejections`);
  if (result === "won") {
    if (state.role === "preCandidate") campaign(state, "election");
    else {
      becomeLeader(state);
      broadcastAppend(state);
    }
  } else if (result === "lost") {
    // The answers to a preliminary election bear its future term: the own term stays.
    becomeFollower(state, state.term, noMember);
  }
}
