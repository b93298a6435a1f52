/** What a leader does with a message. */
import { assert } from "../base/assert.js";
import {
  takeAppendResponse,
  takeHeartbeatResponse,
  takeSnapshotStatus,
  takeTransfer,
  takeUnreachable,
} from "./leader-answers.js";
import { proposeOnLeader } from "./leader-proposals.js";
import { takeRead } from "./leader-reads.js";
import type { RoleMessage } from "./message.js";
import { noMember } from "./message.js";
import { broadcastHeartbeat } from "./replication.js";
import type { ProposeOutcome, RaftState } from "./state.js";
import { accepted } from "./state.js";
import { becomeFollower } from "./transitions.js";

export function stepLeader(state: RaftState, message: RoleMessage): ProposeOutcome {
  switch (message.type) {
    case "MsgBeat":
      broadcastHeartbeat(state);
      return accepted;
    case "MsgCheckQuorum":
      checkQuorum(state);
      return accepted;
    case "MsgProp":
      return proposeOnLeader(state, message.entries);
    case "MsgReadIndex":
      takeRead(state, message);
      return accepted;
    default:
      stepProgress(state, message);
      return accepted;
  }
}

/** Messages about one member; passed over when it is none. */
function stepProgress(state: RaftState, message: RoleMessage): void {
  const progress = state.tracker.progress.get(message.from);
  if (progress === undefined) return;
  switch (message.type) {
    case "MsgAppResp":
      takeAppendResponse(state, progress, message);
      return;
    case "MsgHeartbeatResp":
      takeHeartbeatResponse(state, progress, message);
      return;
    case "MsgSnapStatus":
      takeSnapshotStatus(progress, message);
      return;
    case "MsgUnreachable":
      takeUnreachable(progress);
      return;
    case "MsgTransferLeader":
      takeTransfer(state, progress, message);
      return;
    default:
    // What concerns followers and candidates, or an election that is over.
  }
}

function checkQuorum(state: RaftState): void {
  if (!state.tracker.quorumActive()) {
    state.trace(() => `stepped down at term ${state.term}: no quorum is active`);
    becomeFollower(state, state.term, noMember);
  }
  for (const [id, progress] of state.tracker.progress) if (id !== state.id) progress.recentActive = false;
}

/** One tick. Raft thesis, section 6.2: a leader that reaches no quorum steps down. */
export function tickLeader(state: RaftState): void {
  const { timer, config, leadership } = state;
  assert(state.role === "leader", "a leader ticks as one");
  timer.heartbeatElapsed++;
  timer.electionElapsed++;
  if (timer.electionElapsed >= config.electionTicks) {
    timer.electionElapsed = 0;
    if (config.checkQuorum) checkQuorum(state);
    // A transfer that took an election timeout has failed: this member leads on.
    if (isLeader(state)) leadership.transferee = noMember;
  }
  if (!isLeader(state) || timer.heartbeatElapsed < config.heartbeatTicks) return;
  timer.heartbeatElapsed = 0;
  broadcastHeartbeat(state);
}

function isLeader(state: RaftState): boolean {
  return state.role === "leader";
}
