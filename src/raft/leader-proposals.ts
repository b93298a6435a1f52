/** Proposals on the leader. */
import type { Index } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import { ProtoError } from "../base/protowire.js";
import { entryConfChange } from "./codec.js";
import type { ConfChangeV2 } from "./conf-change.js";
import { toConfChangeV2 } from "./conf-change.js";
import type { Proposal } from "./message.js";
import { noMember } from "./message.js";
import { appendProposals, broadcastAppend } from "./replication.js";
import type { ProposeOutcome, RaftState } from "./state.js";
import { accepted, dropped } from "./state.js";
import { EntryType } from "./types.js";

/** All of `proposals` enter the log, or none. */
export function proposeOnLeader(state: RaftState, proposals: readonly Proposal[]): ProposeOutcome {
  if (!state.tracker.progress.has(state.id)) return dropped("removed");
  if (state.leadership.transferee !== noMember) return dropped("transferring");
  const checked = proposals.some(({ type }) => type !== EntryType.Normal)
    ? checkConfChanges(state, proposals)
    : proposals;
  if (checked === undefined) return dropped("malformed");
  if (!appendProposals(state, checked)) return dropped("uncommittedBytes");
  broadcastAppend(state);
  return accepted;
}

/**
 * Replaces membership changes that can not follow what is in force by empty entries, so that the others of the
 * batch keep their places. Undefined where one can not be read: followers pass on what they were given.
 */
function checkConfChanges(state: RaftState, proposals: readonly Proposal[]): Proposal[] | undefined {
  const checked: Proposal[] = [];
  try {
    for (const [at, proposal] of proposals.entries()) {
      const change = entryConfChange(proposal);
      const refusal = change && confChangeRefusal(state, toConfChangeV2(change));
      if (refusal !== undefined && !state.config.disableConfChangeValidation) {
        state.trace(() => `ignores a membership change: ${refusal}`);
        checked.push({ type: EntryType.Normal, data: emptyBytes });
      } else {
        if (change !== undefined) {
          state.leadership.pendingConfIndex = nextIndex(state) + at;
        }
        checked.push(proposal);
      }
    }
  } catch (error) {
    if (error instanceof ProtoError) return undefined;
    throw error;
  }
  return checked;
}

function nextIndex(state: RaftState): Index {
  return state.log.lastIndex() + 1;
}

/**
 * Why `change` can not be proposed now; undefined when it can. One change at a time may wait to be applied (Raft
 * thesis, section 4.1), and a joint configuration is left before another is entered.
 */
function confChangeRefusal(state: RaftState, change: ConfChangeV2): string | undefined {
  const { pendingConfIndex } = state.leadership;
  if (pendingConfIndex > state.log.applied) return `one at index ${pendingConfIndex} may not be applied yet`;
  const isJoint = state.tracker.config.votersOutgoing.length > 0;
  const leaves = change.changes.length === 0;
  if (isJoint && !leaves) return "a joint configuration has to be left first";
  if (!isJoint && leaves) return "there is no joint configuration to leave";
  return undefined;
}

/**
 * The store has applied up to `index`, `bytes` of entries in all. A joint configuration that is to be left by
 * itself is left now, unless leadership is being handed over: then the next leader does it, or the next call.
 */
export function noteApplied(state: RaftState, index: Index, bytes: number): void {
  const applied = Math.max(index, state.log.applied);
  state.log.appliedTo(applied, bytes);
  if (state.role !== "leader" || !state.tracker.config.autoLeave) return;
  if (applied < state.leadership.pendingConfIndex) return;
  const { kind } = proposeOnLeader(state, [{ type: EntryType.ConfChangeV2, data: emptyBytes }]);
  if (kind === "accepted") state.trace(() => "leaves the joint configuration");
}
