/**
 * Changes of the configuration, checked before they take effect. Nothing here alters what it is given: a change
 * gives a new configuration with the progress of its members, or a `ConfChangeError`.
 *
 * A worked example, in the order incoming & outgoing: from (1 2 3), a change that adds 4 and demotes 3 to a
 * learner enters (1 2 4)&(1 2 3) with 3 staged in learnersNext, for 3 still votes in the outgoing half; leaving
 * the joint configuration gives (1 2 4) with learner 3.
 *
 * Source: Raft thesis, sections 4.1 (one at a time) and 4.3 (joint).
 */
import type { Index, MemberId } from "../../base/brand.js";
import type { ConfChangeSingle } from "../conf-change.js";
import { ConfChangeType } from "../conf-change.js";
import { sortedIds } from "../quorum/joint.js";
import type { InflightLimits } from "../tracker/inflights.js";
import { Progress } from "../tracker/progress.js";
import type { TrackedConfig } from "../tracker/tracker.js";
import { checkInvariants } from "./invariants.js";

/** The change does not fit the configuration; the text says how. */
export class ConfChangeError extends Error {
  override readonly name = "ConfChangeError";
}

export interface ChangeContext {
  /** Where probing of a new member starts. */
  readonly lastIndex: Index;
  readonly inflightLimits: InflightLimits;
}

/** Being changed: sets instead of the sorted lists, and copies of the progress. */
class Draft {
  readonly voters: Set<MemberId>;
  readonly learners: Set<MemberId>;
  readonly learnersNext: Set<MemberId>;
  votersOutgoing: Set<MemberId>;
  autoLeave: boolean;
  readonly progress: Map<MemberId, Progress>;

  constructor(
    base: TrackedConfig,
    private readonly context: ChangeContext,
  ) {
    checkInvariants(base);
    this.voters = new Set(base.config.voters);
    this.votersOutgoing = new Set(base.config.votersOutgoing);
    this.learners = new Set(base.config.learners);
    this.learnersNext = new Set(base.config.learnersNext);
    this.autoLeave = base.config.autoLeave;
    this.progress = new Map([...base.progress].map(([id, progress]) => [id, progress.copy()]));
  }

  get joint(): boolean {
    return this.votersOutgoing.size > 0;
  }

  /** By convention the incoming half changes; the outgoing one is as it was when the joint state was entered. */
  apply(changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      // Id 0 stands for a change that the application refused after it was committed.
      if (nodeId === 0n) continue;
      if (type === ConfChangeType.AddNode) this.makeVoter(nodeId);
      else if (type === ConfChangeType.AddLearnerNode) this.makeLearner(nodeId);
      else if (type === ConfChangeType.RemoveNode) this.remove(nodeId);
    }
    if (this.voters.size === 0) throw new ConfChangeError("removed all voters");
  }

  finish(): TrackedConfig {
    const config = {
      voters: sortedIds(this.voters),
      learners: sortedIds(this.learners),
      votersOutgoing: sortedIds(this.votersOutgoing),
      learnersNext: sortedIds(this.learnersNext),
      autoLeave: this.autoLeave,
    };
    const progress = new Map(sortedIds(this.progress.keys()).map((id) => [id, this.progress.get(id)!]));
    const tracked = { config, progress };
    checkInvariants(tracked);
    return tracked;
  }

  private makeVoter(id: MemberId): void {
    const progress = this.progress.get(id);
    if (progress === undefined) this.track(id, false);
    else progress.isLearner = false;
    this.learners.delete(id);
    this.learnersNext.delete(id);
    this.voters.add(id);
  }

  private makeLearner(id: MemberId): void {
    const progress = this.progress.get(id);
    if (progress === undefined) {
      this.track(id, true);
      this.learners.add(id);
      return;
    }
    if (progress.isLearner) return;
    this.remove(id);
    this.progress.set(id, progress);
    // A voter of the outgoing half can not be a learner at the same time: it becomes one when that half goes.
    if (this.votersOutgoing.has(id)) this.learnersNext.add(id);
    else {
      progress.isLearner = true;
      this.learners.add(id);
    }
  }

  private remove(id: MemberId): void {
    if (!this.progress.has(id)) return;
    this.voters.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
    if (!this.votersOutgoing.has(id)) this.progress.delete(id);
  }

  private track(id: MemberId, isLearner: boolean): void {
    const next = Math.max(this.context.lastIndex, 1);
    const progress = new Progress(next, isLearner, this.context.inflightLimits);
    // Counted as active, or the next check of the quorum could depose a leader for a member that is just starting.
    progress.recentActive = true;
    this.progress.set(id, progress);
  }
}

/** Changes at most one voter of a configuration that is not joint. Errors: ConfChangeError. */
export function changeSimply(
  base: TrackedConfig,
  changes: readonly ConfChangeSingle[],
  context: ChangeContext,
): TrackedConfig {
  const draft = new Draft(base, context);
  if (draft.joint) throw new ConfChangeError("can't apply simple config change in joint config");
  draft.apply(changes);
  if (symmetricDifference(base.config.voters, draft.voters) > 1) {
    throw new ConfChangeError("more than one voter changed without entering joint config");
  }
  return draft.finish();
}

/** Enters the joint configuration of what `changes` lead to and what was. Errors: ConfChangeError. */
export function enterJoint(
  base: TrackedConfig,
  changes: readonly ConfChangeSingle[],
  context: ChangeContext & { readonly autoLeave: boolean },
): TrackedConfig {
  const draft = new Draft(base, context);
  if (draft.joint) throw new ConfChangeError("config is already joint");
  if (draft.voters.size === 0) throw new ConfChangeError("can't make a zero-voter config joint");
  draft.votersOutgoing = new Set(draft.voters);
  draft.apply(changes);
  draft.autoLeave = context.autoLeave;
  return draft.finish();
}

/** Drops the outgoing half; staged learners become learners. Errors: ConfChangeError. */
export function leaveJoint(base: TrackedConfig, context: ChangeContext): TrackedConfig {
  const draft = new Draft(base, context);
  if (!draft.joint) throw new ConfChangeError("can't leave a non-joint config");
  for (const id of draft.learnersNext) {
    draft.learners.add(id);
    draft.progress.get(id)!.isLearner = true;
  }
  draft.learnersNext.clear();
  for (const id of draft.votersOutgoing) {
    if (!draft.voters.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
  }
  draft.votersOutgoing = new Set();
  draft.autoLeave = false;
  return draft.finish();
}

function symmetricDifference(before: readonly MemberId[], after: ReadonlySet<MemberId>): number {
  const kept = before.filter((id) => after.has(id)).length;
  return before.length - kept + (after.size - kept);
}
