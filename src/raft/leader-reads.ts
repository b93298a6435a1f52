/** Linearizable reads on the leader. Raft thesis, section 6.4. */
import { unreachable } from "../base/assert.js";
import type { Index } from "../base/brand.js";
import type { ReadIndexMessage } from "./message.js";
import { noMember } from "./message.js";
import { broadcastHeartbeat } from "./replication.js";
import type { RaftState } from "./state.js";

/** Takes a read of this member's own or one that a follower passed on. */
export function takeRead(state: RaftState, message: ReadIndexMessage): void {
  if (state.tracker.isSingleton) answerRead(state, message, state.log.committed);
  else if (!committedInTerm(state)) state.reads.postpone(message);
  else confirmRead(state, message);
}

/** Until the first commit of its term a new leader does not know of all that its predecessors committed. */
function committedInTerm(state: RaftState): boolean {
  return state.log.term(state.log.committed) === state.term;
}

/** The commit index moved in this term: reads that waited for that go on. */
export function releasePostponedReads(state: RaftState): void {
  for (const message of state.reads.takePostponed()) confirmRead(state, message);
}

function confirmRead(state: RaftState, message: ReadIndexMessage): void {
  const { readOnlyOption } = state.config;
  switch (readOnlyOption) {
    case "safe":
      if (!state.reads.add(message, state.log.committed)) return;
      state.reads.acknowledge(state.id, state.reads.heartbeatContext());
      broadcastHeartbeat(state);
      return;
    case "leaseBased":
      answerRead(state, message, state.log.committed);
      return;
    default:
      unreachable(readOnlyOption, "read option");
  }
}

/** Answers the reads that a quorum has confirmed by now. */
export function answerConfirmedReads(state: RaftState): void {
  for (const { request, index } of state.reads.takeConfirmed(state.tracker.config)) {
    answerRead(state, request, index);
  }
}

function answerRead(state: RaftState, request: ReadIndexMessage, index: Index): void {
  const { from: to, context } = request;
  if (to === noMember || to === state.id) state.outbox.readStates.push({ index, context });
  else state.send({ type: "MsgReadIndexResp", to, from: state.id, term: state.term, index, context });
}
