/** Linearizable reads on the leader. Raft thesis, section 6.4. */
import { unreachable } from "../base/assert.js";
import type { Index, MemberId } from "../base/brand.js";
import type { ReadIndexMessage } from "./message.js";
import { noMember } from "./message.js";
import { jointVoteResult } from "./quorum/joint.js";
import { broadcastHeartbeat } from "./replication.js";
import type { RaftState } from "./state.js";

/**
 * Takes a read of this member's own or one that a follower passed on. etcd-raft answers a lone voter's before it looks
 * whether anything of its term is committed: then one that was just started may miss what it committed before.
 */
export function takeRead(state: RaftState, message: ReadIndexMessage): void {
  if (!committedInTerm(state)) state.reads.postpone(message);
  else if (state.tracker.isSingleton) answerRead(state, message, state.log.committed);
  else confirmRead(state, message);
}

/** Until the first commit of its term a new leader does not know of all that its predecessors, or it, committed. */
function committedInTerm(state: RaftState): boolean {
  return state.log.term(state.log.committed) === state.term;
}

/**
 * True where `from`, who passed a read on, makes a quorum with the leader: then its message is all the confirmation that
 * this read needs, and a round of heartbeats is spared. When it sent that it followed this leader, so it had not voted in
 * any later term; nor has the leader until now. Any quorum that could have elected another has one of the two in it, so
 * until then there was no other, and all that was committed this leader knows. It says nothing of other reads: they
 * may have come after it was sent.
 */
function vouchesWithLeader(state: RaftState, from: MemberId): boolean {
  if (from === noMember || from === state.id) return false;
  const votes = new Map([state.id, from].map((id) => [id, true]));
  return jointVoteResult(state.tracker.config, votes) === "won";
}

/** The commit index moved in this term: reads that waited for that go on. */
export function releasePostponedReads(state: RaftState): void {
  for (const message of state.reads.takePostponed()) takeRead(state, message);
}

function confirmRead(state: RaftState, message: ReadIndexMessage): void {
  const { readOnlyOption } = state.config;
  switch (readOnlyOption) {
    case "safe":
      if (vouchesWithLeader(state, message.from)) {
        answerRead(state, message, state.log.committed);
        return;
      }
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
