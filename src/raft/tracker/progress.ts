/**
 * What a leader knows of one member's log, and how it may send to it.
 *
 * - probe: where the logs agree is not known yet; one append message per heartbeat until an answer says.
 * - replicate: the logs agree up to `match`; messages are sent ahead of the answers, as the window allows.
 * - snapshot: the entries that it needs are gone here; nothing is sent until it has taken a snapshot.
 *
 * Entries in (match, next) are on their way. Invariant: match < next.
 */
import { assert } from "../../base/assert.js";
import type { Index } from "../../base/brand.js";
import type { InflightLimits } from "./inflights.js";
import { Inflights } from "./inflights.js";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  match: Index = 0;
  state: ProgressState = "probe";
  /** Index of the snapshot that was sent; 0 unless in state snapshot. */
  pendingSnapshot: Index = 0;
  /** It answered since the quorum was last checked; always true of the leader itself. */
  recentActive = false;
  /** The next append waits for an answer to a heartbeat. */
  appendPaused = false;
  private readonly inflights: Inflights;
  /** The highest commit index on its way; below what was sent when a message may have been lost. */
  private sentCommit: Index = 0;

  constructor(
    public next: Index,
    public isLearner: boolean,
    private readonly limits: InflightLimits,
  ) {
    this.inflights = new Inflights(limits);
  }

  get inflightCount(): number {
    return this.inflights.count;
  }

  get inflightBytes(): number {
    return this.inflights.bytes;
  }

  get inflightFull(): boolean {
    return this.inflights.full;
  }

  /** Nothing but what an answer or a heartbeat's answer triggers is to be sent now. */
  get paused(): boolean {
    return this.state === "snapshot" || this.appendPaused;
  }

  /** A copy for a configuration that may not come to be. It shares the window: one of the two is dropped. */
  copy(): Progress {
    const copied = new Progress(this.next, this.isLearner, this.limits);
    Object.assign(copied, this);
    return copied;
  }

  becomeProbe(): void {
    // A snapshot that was sent may be there already, so probing starts behind it.
    const base = this.state === "snapshot" ? Math.max(this.match, this.pendingSnapshot) : this.match;
    this.enter("probe");
    this.next = base + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  private enter(state: ProgressState): void {
    this.appendPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** `count` entries from `next` on, `bytes` of payload, were sent in one message. */
  sentEntries(count: number, bytes: number): void {
    assert(this.state !== "snapshot", "no entries are sent while a snapshot is pending");
    if (this.state === "probe") {
      if (count > 0) this.appendPaused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.inflights.add(this.next - 1, bytes);
    }
    // A message that fills the window, or goes out though it is full, is a probe: the next waits.
    this.appendPaused = this.inflights.full;
  }

  /** True where telling it of `commit` could move its commit index: it was not told yet of all that it has. */
  canAdvanceCommit(commit: Index): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  sentCommitIndex(commit: Index): void {
    this.sentCommit = commit;
  }

  /** It has everything up to `index`. False when that is old news. */
  acknowledge(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendPaused = false;
    return true;
  }

  freeInflightsUpTo(index: Index): void {
    this.inflights.freeUpTo(index);
  }

  /**
   * It refused an append after `rejected`; the logs agree at `hint` at best. False when the answer is stale:
   * messages may be doubled and reordered.
   */
  retreat(rejected: Index, hint: Index): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // One probe at a time is on its way, so a genuine refusal is of the entry before `next`.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.appendPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }
}
