/** Changes of the membership as they stand in the log. Raft thesis, chapter 4. */
import type { MemberId } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";

export const ConfChangeType = { AddNode: 0, RemoveNode: 1, UpdateNode: 2, AddLearnerNode: 3 } as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/** Auto: joint only for more than one change. Implicit: joint, left by itself. Explicit: joint, left on request. */
export const ConfChangeTransition = { Auto: 0, JointImplicit: 1, JointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  /** 0: the change was refused after it entered the log, and is to be passed over. */
  readonly nodeId: MemberId;
}

/** A change of one member. Raft thesis, section 4.1. */
export interface ConfChange extends ConfChangeSingle {
  readonly version: 1;
  /** Names the request for whoever waits; 0 for none. */
  readonly id: bigint;
  /** The application's: here the description of the member. */
  readonly context: Uint8Array;
}

/** Several changes at once, by way of a joint configuration. Raft thesis, section 4.3. */
export interface ConfChangeV2 {
  readonly version: 2;
  readonly transition: ConfChangeTransition;
  /** Empty, with transition Auto: leave the joint configuration. */
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

/** Leaves a joint configuration. It encodes to no bytes at all, so no size limit can refuse it. */
export const leaveJointChange: ConfChangeV2 = {
  version: 2,
  transition: ConfChangeTransition.Auto,
  changes: [],
  context: emptyBytes,
};

/** The same change in the second form. */
export function toConfChangeV2(change: ConfChange | ConfChangeV2): ConfChangeV2 {
  if (change.version === 2) return change;
  return {
    version: 2,
    transition: ConfChangeTransition.Auto,
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
  };
}

/** True where the change ends a joint configuration. */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.Auto && change.changes.length === 0;
}

/** True where the change goes by way of a joint configuration. */
export function entersJoint(change: ConfChangeV2): boolean {
  return change.transition !== ConfChangeTransition.Auto || change.changes.length > 1;
}

/** True where the joint configuration that `change` enters is left as soon as it is applied. */
export function leavesByItself(change: ConfChangeV2): boolean {
  return change.transition !== ConfChangeTransition.JointExplicit;
}
