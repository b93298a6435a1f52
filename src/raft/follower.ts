/** What a follower does with a message. */
import type { MemberId } from "../base/brand.js";
import { standForElection } from "./election.js";
import { takeAppend, takeHeartbeat, takeSnapshot } from "./follower-log.js";
import type { ProposeMessage, RoleMessage } from "./message.js";
import { noMember } from "./message.js";
import type { ProposeOutcome, RaftState } from "./state.js";
import { accepted, dropped } from "./state.js";

export function stepFollower(state: RaftState, message: RoleMessage): ProposeOutcome {
  switch (message.type) {
    case "MsgProp":
      return forwardProposal(state, message);
    case "MsgApp":
      hearLeader(state, message.from);
      takeAppend(state, message);
      return accepted;
    case "MsgHeartbeat":
      hearLeader(state, message.from);
      takeHeartbeat(state, message);
      return accepted;
    case "MsgSnap":
      hearLeader(state, message.from);
      takeSnapshot(state, message);
      return accepted;
    case "MsgTransferLeader":
      // The sender is who wants to lead: it stays when the request is passed on.
      if (state.leader !== noMember) state.send({ ...message, to: state.leader, term: state.term });
      return accepted;
    case "MsgForgetLeader":
      forgetLeader(state);
      return accepted;
    case "MsgTimeoutNow":
      state.trace(() => `is told by ${message.from.toString(16)} to take over at term ${state.term}`);
      // No preliminary election: this is not a member that comes back from a partition.
      standForElection(state, "transfer");
      return accepted;
    case "MsgReadIndex":
      if (state.leader !== noMember) {
        const from = message.from === noMember ? state.id : message.from;
        state.send({ ...message, from, to: state.leader, term: 0 });
      }
      return accepted;
    case "MsgReadIndexResp":
      state.outbox.readStates.push({ index: message.index, context: message.context });
      return accepted;
    default:
      return accepted;
  }
}

function hearLeader(state: RaftState, leader: MemberId): void {
  state.timer.electionElapsed = 0;
  state.leader = leader;
}

function forwardProposal(state: RaftState, message: ProposeMessage): ProposeOutcome {
  if (state.leader === noMember) return dropped("noLeader");
  if (state.config.disableProposalForwarding) return dropped("notForwarded");
  const from = message.from === noMember ? state.id : message.from;
  state.send({ ...message, from, to: state.leader, term: 0 });
  return accepted;
}

/** The owner knows that the leader is gone, so votes need not wait out its lease. Not where reads rely on it. */
function forgetLeader(state: RaftState): void {
  if (state.config.readOnlyOption === "leaseBased") return;
  state.trace(() => `forgets its leader at term ${state.term}`);
  state.leader = noMember;
}
