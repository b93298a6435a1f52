/** The configuration in force, what is known of each of its members, and the votes of an election. */
import type { Index, MemberId } from "../../base/brand.js";
import { jointCommittedIndex, jointVoteResult } from "../quorum/joint.js";
import type { VoteResult } from "../quorum/majority.js";
import type { ConfState } from "../types.js";
import { emptyConfState } from "../types.js";
import type { InflightLimits } from "./inflights.js";
import type { Progress } from "./progress.js";

/** In ascending order of the ids: messages go out in an order that can be repeated. */
export type ProgressMap = ReadonlyMap<MemberId, Progress>;

/** A configuration with the progress of exactly its members. */
export interface TrackedConfig {
  readonly config: ConfState;
  readonly progress: ProgressMap;
}

export class ProgressTracker implements TrackedConfig {
  config: ConfState = emptyConfState;
  progress: ProgressMap = new Map();
  private votes = new Map<MemberId, boolean>();
  private readonly acked = (id: MemberId): Index | undefined => this.progress.get(id)?.match;

  constructor(readonly inflightLimits: InflightLimits) {}

  adopt(tracked: TrackedConfig): void {
    this.config = tracked.config;
    this.progress = tracked.progress;
  }

  /** Starts the leader's knowledge anew, as at the begin of a term. */
  resetProgress(make: (id: MemberId, old: Progress) => Progress): void {
    this.progress = new Map([...this.progress].map(([id, old]) => [id, make(id, old)]));
  }

  /** One voter alone, which then decides everything. */
  get isSingleton(): boolean {
    return this.config.voters.length === 1 && this.config.votersOutgoing.length === 0;
  }

  /** The largest index that a quorum of voters holds. */
  committed(): Index {
    return jointCommittedIndex(this.config, this.acked);
  }

  /** True where a quorum of voters answered since `recentActive` was last cleared. */
  quorumActive(): boolean {
    const votes = new Map<MemberId, boolean>();
    for (const [id, progress] of this.progress) if (!progress.isLearner) votes.set(id, progress.recentActive);
    return jointVoteResult(this.config, votes) === "won";
  }

  resetVotes(): void {
    this.votes = new Map();
  }

  /** The first answer of a member counts, a repeated one does not. */
  recordVote(id: MemberId, granted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  tallyVotes(): { readonly granted: number; readonly rejected: number; readonly result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.progress) {
      const vote = this.votes.get(id);
      if (progress.isLearner || vote === undefined) continue;
      if (vote) granted++;
      else rejected++;
    }
    return { granted, rejected, result: jointVoteResult(this.config, this.votes) };
  }
}
