/** What a leader tells the others: entries, heartbeats, snapshots. Raft thesis, sections 3.5 and 5. */
import { assert } from "../base/assert.js";
import { restoreConfiguration } from "./configuration.js";
import type { AppendMessage, HeartbeatMessage, SnapshotMessage } from "./message.js";
import { acknowledge } from "./replication.js";
import type { RaftState } from "./state.js";
import type { Snapshot } from "./types.js";

export function takeAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state;
  const { from: to, index, logTerm, entries, commit } = message;
  if (index < log.committed) {
    acknowledge(state, to, log.committed);
    return;
  }
  const last = log.tryAppend({ prev: { term: logTerm, index }, entries }, commit);
  if (last !== undefined) {
    acknowledge(state, to, last);
    return;
  }
  // The leader's log up to `index` has terms up to `logTerm`, so what is later here can not match: the hint passes
  // over all of that, where the leader's own terms would not tell it to.
  const hint = log.findConflictByTerm({ term: logTerm, index: Math.min(index, log.lastIndex()) });
  const { id: from, term } = state;
  const answer = { index, reject: true, rejectHint: hint.index, logTerm: hint.term };
  state.send({ type: "MsgAppResp", to, from, term, ...answer });
}

export function takeHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  state.log.commitTo(message.commit);
  const { from: to, context } = message;
  state.send({ type: "MsgHeartbeatResp", to, from: state.id, term: state.term, context });
}

export function takeSnapshot(state: RaftState, message: SnapshotMessage): void {
  const { index, term } = message.snapshot.metadata;
  const restored = restore(state, message.snapshot);
  state.trace(() => `${restored ? "restores" : "ignores"} a snapshot at index ${index} of term ${term}`);
  acknowledge(state, message.from, restored ? state.log.lastIndex() : state.log.committed);
}

/** True when the snapshot replaces the log; false when what is here already has it all, or it is not for us. */
function restore(state: RaftState, snapshot: Snapshot): boolean {
  const { log } = state;
  const { confState, index, term } = snapshot.metadata;
  if (index <= log.committed) return false;
  assert(state.role === "follower", "only a follower restores a snapshot");
  const { voters, learners, votersOutgoing } = confState;
  if (![voters, learners, votersOutgoing].some((ids) => ids.includes(state.id))) return false;
  if (log.matches({ term, index })) {
    // The log reaches that far and agrees: only the commit index moves.
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  restoreConfiguration(state, confState);
  return true;
}
