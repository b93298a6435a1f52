/** From the configuration that a snapshot or the log's start names to a tracked one. */

import type { MemberId } from "../../base/brand.js";
import type { ConfChangeSingle } from "../conf-change.js";
import { ConfChangeType } from "../conf-change.js";
import type { TrackedConfig } from "../tracker/tracker.js";
import type { ConfState } from "../types.js";
import { emptyConfState } from "../types.js";
import type { ChangeContext } from "./changer.js";
import { changeSimply, enterJoint } from "./changer.js";

/**
 * Repeats changes that lead to `state`, joint or not, so that a restored configuration went through the same
 * checks as any other. For (1 2 3)&(1 2 4 6) with learner 5 and 4 staged: add 1, 2, 4, 6 one by one, then enter
 * the joint configuration by removing them and adding 1, 2, 3 and the learners 5 and 4. Errors: ConfChangeError.
 */
export function restoreConfig(state: ConfState, context: ChangeContext): TrackedConfig {
  const incoming = [
    ...state.votersOutgoing.map(removeVoter),
    ...state.voters.map(addVoter),
    ...state.learners.map(addLearner),
    ...state.learnersNext.map(addLearner),
  ];
  let tracked: TrackedConfig = { config: emptyConfState, progress: new Map() };
  if (state.votersOutgoing.length === 0) {
    for (const change of incoming) tracked = changeSimply(tracked, [change], context);
    return tracked;
  }
  for (const id of state.votersOutgoing) tracked = changeSimply(tracked, [addVoter(id)], context);
  return enterJoint(tracked, incoming, { ...context, autoLeave: state.autoLeave });
}

const addVoter = (nodeId: MemberId): ConfChangeSingle => ({ type: ConfChangeType.AddNode, nodeId });
const removeVoter = (nodeId: MemberId): ConfChangeSingle => ({ type: ConfChangeType.RemoveNode, nodeId });
const addLearner = (nodeId: MemberId): ConfChangeSingle => ({ type: ConfChangeType.AddLearnerNode, nodeId });
