/** Arithmetic of a joint configuration: a decision needs both majorities. Raft thesis, section 4.3. */
import type { Index, MemberId } from "../../base/brand.js";
import type { AckedIndex, VoteResult } from "./majority.js";
import { committedIndex, voteResult } from "./majority.js";

/** `votersOutgoing` is empty when the configuration is not joint. */
export interface JointVoters {
  readonly voters: readonly MemberId[];
  readonly votersOutgoing: readonly MemberId[];
}

/** The largest index that both majorities have acknowledged. */
export function jointCommittedIndex(config: JointVoters, acked: AckedIndex): Index {
  return Math.min(committedIndex(config.voters, acked), committedIndex(config.votersOutgoing, acked));
}

/** Lost as soon as one half is lost, won when both are. */
export function jointVoteResult(config: JointVoters, votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  const incoming = voteResult(config.voters, votes);
  const outgoing = voteResult(config.votersOutgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}

/** Every voter of either half, in ascending order. */
export function jointVoterIds(config: JointVoters): readonly MemberId[] {
  if (config.votersOutgoing.length === 0) return config.voters;
  return sortedIds(new Set([...config.voters, ...config.votersOutgoing]));
}

/** Ids in ascending order. */
export function sortedIds(ids: Iterable<MemberId>): MemberId[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
