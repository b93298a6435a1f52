/** The membership that is in force: changed by committed entries, or replaced by a snapshot. Thesis, chapter 4. */
import { assert } from "../base/assert.js";
import type { ConfChangeV2 } from "./conf-change.js";
import { entersJoint, leavesByItself, leavesJoint } from "./conf-change.js";
import type { ChangeContext } from "./confchange/changer.js";
import { changeSimply, enterJoint, leaveJoint } from "./confchange/changer.js";
import { restoreConfig } from "./confchange/restore.js";
import { describeConfig } from "./describe.js";
import { noMember } from "./message.js";
import { jointVoterIds, sortedIds } from "./quorum/joint.js";
import { broadcastAppend, tryCommit, trySendAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import type { TrackedConfig } from "./tracker/tracker.js";
import { becomeFollower } from "./transitions.js";
import type { ConfState } from "./types.js";

function changeContext(state: RaftState): ChangeContext {
  return { lastIndex: state.log.lastIndex(), inflightLimits: state.tracker.inflightLimits };
}

/** Puts a committed change in force. Errors: ConfChangeError when it does not fit what is in force. */
export function applyConfChange(state: RaftState, change: ConfChangeV2): ConfState {
  const context = changeContext(state);
  if (leavesJoint(change)) return adoptConfig(state, leaveJoint(state.tracker, context));
  if (entersJoint(change)) {
    const autoLeave = leavesByItself(change);
    return adoptConfig(state, enterJoint(state.tracker, change.changes, { ...context, autoLeave }));
  }
  return adoptConfig(state, changeSimply(state.tracker, change.changes, context));
}

/** Puts the configuration of a snapshot, or of the start of the log, in force. */
export function restoreConfiguration(state: RaftState, config: ConfState): void {
  const restored = adoptConfig(state, restoreConfig(config, changeContext(state)));
  assert(sameConfig(restored, config), "a restored configuration is the one that was stored");
}

function sameConfig(a: ConfState, b: ConfState): boolean {
  const text = (config: ConfState): string =>
    [config.voters, config.learners, config.votersOutgoing, config.learnersNext]
      .map((ids) => sortedIds(ids).join())
      .join(";");
  return a.autoLeave === b.autoLeave && text(a) === text(b);
}

function adoptConfig(state: RaftState, tracked: TrackedConfig): ConfState {
  state.tracker.adopt(tracked);
  const { config, progress } = tracked;
  state.trace(() => `switched to configuration ${describeConfig(config)}`);
  if (state.role !== "leader") return config;
  const own = progress.get(state.id);
  if (own === undefined || own.isLearner) {
    // Without the option it leads on until another is elected, not counting itself. Thesis, section 4.2.2.
    if (state.config.stepDownOnRemoval) becomeFollower(state, state.term, noMember);
    return config;
  }
  if (config.voters.length === 0) return config;
  if (tryCommit(state)) {
    // A smaller quorum may hold more.
    broadcastAppend(state);
  } else {
    // New members need not wait for the next heartbeat.
    for (const id of progress.keys()) if (id !== state.id) trySendAppend(state, id, { evenIfEmpty: false });
  }
  const { leadership } = state;
  if (leadership.transferee !== noMember && !jointVoterIds(config).includes(leadership.transferee)) {
    leadership.transferee = noMember;
  }
  return config;
}
