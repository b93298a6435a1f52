/** Arithmetic of a simple majority. Raft thesis, sections 3.4 and 3.6. */
import type { Index, MemberId } from "../../base/brand.js";

/** Up to where a voter's log is known to match; undefined when nothing is known of it. */
export type AckedIndex = (voter: MemberId) => Index | undefined;
export type VoteResult = "pending" | "lost" | "won";

/**
 * The largest index that a majority of `voters` has acknowledged; Infinity for no voters, so that the empty half
 * of a joint configuration never holds the other back.
 *
 * With acknowledgements 3, 7, 5 of three voters the sorted list is 3 5 7: two voters have reached 5.
 */
export function committedIndex(voters: readonly MemberId[], acked: AckedIndex): Index {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const reached: Index[] = [];
  for (const voter of voters) insertSorted(reached, acked(voter) ?? 0);
  return reached[voters.length - majority(voters.length)]!;
}

/** The outcome of an election given the votes so far (true: granted). No voters: won, as for `committedIndex`. */
export function voteResult(voters: readonly MemberId[], votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** Insertion beats a sort for the handful of voters that a cluster has. */
function insertSorted(list: number[], value: number): void {
  let at = list.length;
  while (at > 0 && list[at - 1]! > value) at--;
  list.splice(at, 0, value);
}
