/** What a leader sends to the others, and how its log grows and is committed. Raft thesis, sections 3.5 and 10.2. */
import { assert } from "../base/assert.js";
import type { Index, MemberId } from "../base/brand.js";
import { payloadBytes } from "./entry-page.js";
import type { Proposal } from "./message.js";
import type { RaftState } from "./state.js";
import type { Progress } from "./tracker/progress.js";
import type { Entry } from "./types.js";

/** Tells `to` of new entries, or at least of the commit index. */
export function sendAppend(state: RaftState, to: MemberId): void {
  trySendAppend(state, to, { evenIfEmpty: true });
}

/** Sends the next append message, or a snapshot where the log was cut; false when nothing was to be sent. */
export function trySendAppend(
  state: RaftState,
  to: MemberId,
  { evenIfEmpty }: { readonly evenIfEmpty: boolean },
): boolean {
  const progress = state.tracker.progress.get(to);
  if (progress === undefined || progress.paused) return false;
  const { log } = state;
  const index = progress.next - 1;
  const logTerm = log.term(index);
  if (logTerm === undefined) return sendSnapshot(state, to, progress);
  // With a full window only empty messages go out, one per heartbeat: should all in the window be lost, one of
  // these finds out.
  const windowFull = progress.state === "replicate" && progress.inflightFull;
  const entries = windowFull ? [] : log.entriesFrom(progress.next, state.config.appendMessageBytesMax);
  assert(entries !== undefined, "an entry is here when the term before it is");
  if (entries.length === 0 && !evenIfEmpty) return false;
  const commit = log.committed;
  state.send({ type: "MsgApp", to, from: state.id, term: state.term, index, logTerm, entries, commit });
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommitIndex(commit);
  return true;
}

function sendSnapshot(state: RaftState, to: MemberId, progress: Progress): boolean {
  // A member that does not answer would get it in vain.
  if (!progress.recentActive) return false;
  const snapshot = state.log.snapshot();
  if (snapshot === undefined) return false;
  progress.becomeSnapshot(snapshot.metadata.index);
  const { index, term } = snapshot.metadata;
  state.trace(() => `sends a snapshot at index ${index} of term ${term} to ${to.toString(16)}`);
  state.send({ type: "MsgSnap", to, from: state.id, term: state.term, snapshot });
  return true;
}

/** To every other member, as far as it can take it now. */
export function broadcastAppend(state: RaftState): void {
  for (const id of state.tracker.progress.keys()) if (id !== state.id) sendAppend(state, id);
}

/** To every other member; the answers confirm the reads that wait now. */
export function broadcastHeartbeat(state: RaftState): void {
  const context = state.reads.heartbeatContext();
  for (const [to, progress] of state.tracker.progress) {
    if (to === state.id) continue;
    // A member must not commit what it was not sent: what does not match yet may be something else there.
    const commit = Math.min(progress.match, state.log.committed);
    state.send({ type: "MsgHeartbeat", to, from: state.id, term: state.term, commit, context });
    progress.sentCommitIndex(commit);
  }
}

/**
 * Appends to the leader's own log; its acknowledgement to itself follows when the entries are durable here. False,
 * and nothing done, when the uncommitted tail would grow too large. A proposal is let in whatever its size when
 * there is no tail, and one without payload always.
 */
export function appendProposals(state: RaftState, proposals: readonly Proposal[]): boolean {
  const { leadership, term } = state;
  const bytes = payloadBytes(proposals);
  const total = leadership.uncommittedBytes + bytes;
  if (leadership.uncommittedBytes > 0 && bytes > 0 && total > state.config.uncommittedBytesMax) return false;
  leadership.uncommittedBytes = total;
  let index = state.log.lastIndex();
  const entries: Entry[] = [];
  for (const { type, data } of proposals) {
    index++;
    entries.push({ term, index, type, data });
  }
  state.log.append(entries);
  acknowledge(state, state.id, index);
  return true;
}

/** Tells the leader `to` that the log matches its own up to `index`. */
export function acknowledge(state: RaftState, to: MemberId, index: Index): void {
  const { id: from, term } = state;
  state.send({ type: "MsgAppResp", to, from, term, index, reject: false, rejectHint: 0, logTerm: 0 });
}

/** Commits what a quorum holds, if that ends in an entry of this term. Raft thesis, section 3.6.2. */
export function tryCommit(state: RaftState): boolean {
  return state.log.tryCommit({ term: state.term, index: state.tracker.committed() });
}
