/**
 * Applies a configuration change to raft and to the list of members, or refuses it. A refused change still goes
 * to raft, emptied, so that it counts as the pending change that was resolved.
 */
import type { AppliedRequest } from "../../apply/applier.js";
import type { Index, RequestId } from "../../base/brand.js";
import { StoreError } from "../../base/errors.js";
import { failpoints } from "../../base/failpoint.js";
import { decodeChangeContext } from "../../membership/member-record.js";
import type { Membership } from "../../membership/membership.js";
import { decodeConfChange, decodeConfChangeV2 } from "../../raft/codec.js";
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeType,
  type ConfChangeV2,
} from "../../raft/conf-change.js";
import type { RaftNode } from "../../raft/node.js";
import { type Entry, EntryType } from "../../raft/types.js";
import type { ReplicatedState } from "./replicated-state.js";

export interface AppliedConfChange extends AppliedRequest {
  readonly field: 0;
}

export function applyConfChangeEntry(
  entry: Entry,
  raft: RaftNode,
  state: ReplicatedState,
): AppliedConfChange {
  failpoints.beforeApplyOneConfChange?.();
  if (entry.type === EntryType.ConfChangeV2) {
    // Changes of several members carry no description of them here: raft's configuration alone moves.
    const change = withoutRemoved(decodeConfChangeV2(entry.data), state.membership);
    return accept(change, { id: 0n, index: entry.index }, raft, state);
  }
  const change = decodeConfChange(entry.data);
  try {
    changeMembership(change, state.membership);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    state.setConfState(raft.applyConfChange({ ...change, nodeId: 0n }), entry.index);
    return { id: change.id, field: 0, outcome: error };
  }
  return accept(change, { id: change.id, index: entry.index }, raft, state);
}

/** Who was removed must not come back under the same id: its disk may hold votes of before (etcd-io/etcd #12227). */
function withoutRemoved(change: ConfChangeV2, membership: Membership): ConfChangeV2 {
  const comesBack = ({ type, nodeId }: ConfChangeSingle): boolean =>
    type !== ConfChangeType.RemoveNode && membership.isRemoved(nodeId);
  if (!change.changes.some(comesBack)) return change;
  const changes = change.changes.map((single) => (comesBack(single) ? { ...single, nodeId: 0n } : single));
  return { ...change, changes };
}

function accept(
  change: ConfChange | ConfChangeV2,
  from: { readonly id: RequestId; readonly index: Index },
  raft: RaftNode,
  state: ReplicatedState,
): AppliedConfChange {
  state.setConfState(raft.applyConfChange(change), from.index);
  return { id: from.id, field: 0, outcome: { kind: "done" } };
}

function changeMembership(change: ConfChange, membership: Membership): void {
  const context = decodeChangeContext(change.context);
  const described = {
    id: change.nodeId,
    peerUrls: context?.peerUrls ?? [],
    name: context?.name ?? "",
    clientUrls: [],
  };
  switch (change.type) {
    case ConfChangeType.AddNode:
      if (context?.isPromote === true) membership.promote(change.nodeId);
      else membership.add({ ...described, isLearner: false });
      return;
    case ConfChangeType.AddLearnerNode:
      membership.add({ ...described, isLearner: true });
      return;
    case ConfChangeType.RemoveNode:
      membership.remove(change.nodeId);
      return;
    case ConfChangeType.UpdateNode:
      membership.updatePeerUrls(change.nodeId, described.peerUrls);
      return;
  }
}
