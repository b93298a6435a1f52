/** What a leader makes of the answers of the others, and of what its transport tells of them. */

import { answerConfirmedReads, releasePostponedReads } from "./leader-reads.js";
import type { AppendResponse, HeartbeatResponse, PlainMessage, SnapshotStatusMessage } from "./message.js";
import { noMember } from "./message.js";
import { broadcastAppend, sendAppend, tryCommit, trySendAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import type { Progress } from "./tracker/progress.js";

export function takeAppendResponse(state: RaftState, progress: Progress, message: AppendResponse): void {
  progress.recentActive = true;
  if (message.reject) takeRejection(state, progress, message);
  else takeAcknowledgement(state, progress, message);
}

/**
 * Looks for the place where the logs agree. The follower said that its log up to the hint has terms up to
 * `logTerm`; entries of ours with a later term can not be there, so a whole term is passed over at a time. With
 * ours 1 3 3 3 5 5 5 5 5 and the follower's 1 1 1 1 2 2, refused at 9 with hint 6 of term 2, the next probe is at
 * 1 and not at 6. (The follower shortens its own side likewise: follower-log.ts.)
 */
function takeRejection(state: RaftState, progress: Progress, message: AppendResponse): void {
  const { index, rejectHint, logTerm, from } = message;
  const hint =
    logTerm > 0 ? state.log.findConflictByTerm({ term: logTerm, index: rejectHint }).index : rejectHint;
  if (!progress.retreat(index, hint)) return;
  if (progress.state === "replicate") progress.becomeProbe();
  sendAppend(state, from);
}

function takeAcknowledgement(state: RaftState, progress: Progress, message: AppendResponse): void {
  const { index, from } = message;
  const isNews = progress.acknowledge(index);
  // A probe that was answered lets a member replicate again, even if it acknowledges nothing new.
  if (!isNews && !(progress.match === index && progress.state === "probe")) return;
  adjustFlow(state, progress, index);
  if (tryCommit(state)) {
    releasePostponedReads(state);
    broadcastAppend(state);
  } else if (from !== state.id && progress.canAdvanceCommit(state.log.committed)) {
    sendAppend(state, from);
  }
  if (from === state.id) return;
  // The window may have opened for several messages.
  while (trySendAppend(state, from, { evenIfEmpty: false }));
  if (from === state.leadership.transferee && progress.match === state.log.lastIndex()) {
    sendTimeoutNow(state);
  }
}

function adjustFlow(state: RaftState, progress: Progress, index: number): void {
  switch (progress.state) {
    case "probe":
      progress.becomeReplicate();
      return;
    case "replicate":
      progress.freeInflightsUpTo(index);
      return;
    case "snapshot":
      // Whichever snapshot it installed, replication goes on if the log reaches back that far.
      if (progress.match + 1 >= state.log.firstIndex()) {
        progress.becomeProbe();
        progress.becomeReplicate();
      }
  }
}

function sendTimeoutNow(state: RaftState): void {
  const to = state.leadership.transferee;
  state.trace(() => `tells ${to.toString(16)} to take over at term ${state.term}`);
  state.send({ type: "MsgTimeoutNow", to, from: state.id, term: state.term });
}

export function takeHeartbeatResponse(
  state: RaftState,
  progress: Progress,
  message: HeartbeatResponse,
): void {
  progress.recentActive = true;
  progress.appendPaused = false;
  // With a full window this sends an empty message, which finds out if all in the window were lost; to a member
  // in state probe it is the next probe.
  if (progress.match < state.log.lastIndex() || progress.state === "probe") sendAppend(state, message.from);
  if (state.config.readOnlyOption !== "safe" || message.context.length === 0) return;
  state.reads.acknowledge(message.from, message.context);
  answerConfirmedReads(state);
}

/** A snapshot arrived, or was lost on the way. */
export function takeSnapshotStatus(progress: Progress, message: SnapshotStatusMessage): void {
  if (progress.state !== "snapshot") return;
  // What was lost is not probed for behind its end.
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // Arrived: its acknowledgement comes when it is installed. Lost: another try with the next heartbeat.
  progress.appendPaused = true;
}

/** Messages in flight were probably lost. */
export function takeUnreachable(progress: Progress): void {
  if (progress.state === "replicate") progress.becomeProbe();
}

/** Hands leadership to the sender, within an election timeout or not at all. Raft thesis, section 3.10. */
export function takeTransfer(state: RaftState, progress: Progress, message: PlainMessage): void {
  const { leadership } = state;
  const target = message.from;
  if (progress.isLearner || leadership.transferee === target) return;
  leadership.transferee = noMember;
  if (target === state.id) return;
  state.trace(() => `starts to transfer leadership to ${target.toString(16)} at term ${state.term}`);
  state.timer.electionElapsed = 0;
  leadership.transferee = target;
  if (progress.match === state.log.lastIndex()) sendTimeoutNow(state);
  else sendAppend(state, target);
}
