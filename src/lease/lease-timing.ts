/**
 * The leader's half of leases: which end when, which are to be checkpointed, who waits for a keep-alive. It begins
 * with `promote` and ends with `demote`; in between a deadline only ever moves away.
 *
 * Time comes with ticks alone. What is granted, renewed or taken over between two ticks begins to count at the
 * next one: so a lease may live a tick too long and never ends too early.
 *
 *   promote, begin, renew ──▶ fresh ──tick──▶ counting ──deadline──▶ expired ──takeExpired──▶ ending ──applied──▶ end
 *
 * Checkpoints (etcd has them every 5 minutes): the log learns how much is left of a lease that nobody renews, so
 * that the next leader goes on from there. One that is kept alive, usually at every third of its time, costs
 * nothing. A keep-alive of a lease with a checkpoint is confirmed only when the log has taken it back: a leader
 * that came between would end it too early. Its time counts from there.
 */
import { assert } from "../base/assert.js";
import { failpoints } from "../base/failpoint.js";
import { limits } from "../base/limits.js";
import { checkpointEveryMs, firstCheckpointMs, type LeaseCheckpoint } from "./checkpoints.js";
import { Countdown, type RenewalTicket } from "./countdown.js";
import type { Lease } from "./lease.js";
import type { LeaseMetrics } from "./lease-metrics.js";
import { WakeQueue } from "./wake-queue.js";

export interface LeaseAnswer {
  readonly ticket: RenewalTicket;
  /** Seconds that the lease lives from now; 0: it is gone; undefined: this member leads no more, ask the one that does. */
  readonly ttlSeconds: number | undefined;
}

export class LeaseTiming {
  private isLeading = false;
  /** Counts the times that this member came to lead: a countdown of an earlier one counts no more. */
  private era = 0;
  private nowMs = 0;
  private readonly queue = new WakeQueue<Countdown>();
  /** Begin to count at the next tick, in slices where they are many. */
  private fresh: Countdown[] = [];
  private expired: Countdown[] = [];
  private toCheckpoint: Countdown[] = [];
  private toClear: Countdown[] = [];
  private answers: LeaseAnswer[] = [];
  private endingCount = 0;
  private extendMs = 0;
  /** Leases that are still to get a countdown, or to lose it: a slice at each tick, as they may be a million. */
  private sweep: Iterator<Lease> | undefined;
  /** Where a keep-alive waits: few. */
  private readonly waitedFor = new Set<Countdown>();

  constructor(private readonly metrics: LeaseMetrics) {}

  get leading(): boolean {
    return this.isLeading;
  }

  /** Takes over `leases`. Each gets `extendMs` on top of what is left: the election took its time from the clients. */
  promote(leases: Iterable<Lease>, extendMs: number): void {
    assert(!this.isLeading, "a leader takes over once");
    this.isLeading = true;
    this.era++;
    this.extendMs = extendMs;
    this.sweep = leases[Symbol.iterator]();
  }

  /** Nothing expires any more; whoever waits is sent to the next leader. */
  demote(leases: Iterable<Lease>): void {
    if (!this.isLeading) return;
    for (const countdown of this.waitedFor) this.answerAll(countdown, undefined);
    this.isLeading = false;
    this.sweep = leases[Symbol.iterator]();
    this.queue.clear();
    this.fresh = [];
    this.expired = [];
    this.toCheckpoint = [];
    this.toClear = [];
    this.endingCount = 0;
  }

  /** `lease` was granted. */
  begin(lease: Lease): void {
    if (!this.isLeading) return;
    lease.countdown = new Countdown(lease, this.era);
    this.count(lease.countdown, lease.ttlSeconds * 1_000);
  }

  /** `lease` is gone. */
  end(lease: Lease): void {
    const countdown = this.current(lease);
    lease.countdown = undefined;
    if (countdown === undefined) return;
    this.queue.remove(countdown);
    if (countdown.isEnding) {
      this.endingCount--;
      this.metrics.expired.add();
    }
    // Those lists that may still name it look first whether it is the lease's countdown.
    this.answerAll(countdown, 0);
  }

  /** A checkpoint of `lease` was applied. */
  checkpointed(lease: Lease): void {
    const countdown = this.current(lease);
    if (countdown === undefined) return;
    if (lease.remainingSeconds > 0) {
      countdown.checkpointsOut = Math.max(0, countdown.checkpointsOut - 1);
      return;
    }
    if (countdown.clearing !== undefined) this.cleared(countdown, countdown.clearing);
  }

  /** A keep-alive from a client, after this leader was confirmed to be one. The answer comes by `takeAnswers`. */
  renew(lease: Lease | undefined, ticket: RenewalTicket): void {
    const ttlSeconds = this.renewAtOnce(lease);
    if (lease === undefined || ttlSeconds !== undefined) this.answers.push({ ticket, ttlSeconds });
    else this.renewLater(lease, ticket);
  }

  /** As `renew`, but gives the answer; undefined where it has to be awaited, which is left to `renew`. */
  renewAtOnce(lease: Lease | undefined): number | undefined {
    assert(this.isLeading, "only a leader renews");
    if (lease === undefined) return 0;
    const countdown = this.current(lease) ?? this.takeOver(lease);
    if (countdown.hasRunOut(this.nowMs)) return undefined;
    if (lease.remainingSeconds !== 0 || countdown.checkpointsOut !== 0) return undefined;
    this.countAnew(countdown);
    this.metrics.renewed.add();
    return lease.ttlSeconds;
  }

  /** Milliseconds until `lease` ends, negative once it should have; undefined at a member that does not lead. */
  remainingMs(lease: Lease): number | undefined {
    if (!this.isLeading) return undefined;
    const countdown = this.current(lease);
    if (countdown === undefined) return this.takeOverMs(lease);
    return countdown.freshMs > 0 ? countdown.freshMs : countdown.deadlineMs - this.nowMs;
  }

  /** The time is `nowMs`, on a clock that never goes back. */
  tick(nowMs: number): void {
    this.nowMs = Math.max(this.nowMs, Math.floor(nowMs));
    this.sweepSlice();
    if (!this.isLeading) return;
    this.startFresh();
    for (let woken = 0; woken < limits.leaseWakesPerTickMax; woken++) {
      const countdown = this.queue.first;
      if (countdown === undefined || countdown.wakeMs > this.nowMs) return;
      this.queue.remove(countdown);
      this.wake(countdown);
    }
  }

  /** The earliest deadline that has passed of those leases whose end is not in the log; undefined when there is none. */
  earliestExpired(): number | undefined {
    this.dropAnswered();
    return this.expired[0]?.deadlineMs;
  }

  /**
   * At most `max` leases whose deadline was at or before `confirmedMs`, to be revoked through the log; each is
   * given once. `revokeFailed` gives one back.
   */
  takeExpired(confirmedMs: number, max: number): readonly Lease[] {
    const room = Math.min(max, limits.leaseRevokesInFlightMax - this.endingCount);
    const taken: Lease[] = [];
    let at = 0;
    for (; at < this.expired.length && taken.length < room; at++) {
      const countdown = this.expired[at]!;
      if (!countdown.isCurrent) continue;
      if (countdown.deadlineMs > confirmedMs) break;
      countdown.isEnding = true;
      taken.push(countdown.lease);
    }
    this.expired.splice(0, at);
    this.endingCount += taken.length;
    return taken;
  }

  /** The log did not take the end of `lease`, or every member refused it: it is tried again later. */
  revokeFailed(lease: Lease): void {
    const countdown = this.current(lease);
    if (countdown === undefined || !countdown.isEnding) return;
    countdown.isEnding = false;
    this.endingCount--;
    this.answerAll(countdown, 0);
    countdown.wakeMs = this.nowMs + limits.leaseRevokeRetryMs;
    this.queue.add(countdown);
  }

  /** Leases whose remaining time is to be put in the log, and (0 seconds) those from which it is to be taken back. */
  takeCheckpoints(): readonly LeaseCheckpoint[] {
    const checkpoints: LeaseCheckpoint[] = [];
    for (const countdown of this.toClear) {
      if (countdown.isCurrent) checkpoints.push({ id: countdown.lease.id, remainingSeconds: 0 });
    }
    for (const countdown of this.toCheckpoint) this.addCheckpoint(countdown, checkpoints);
    this.toClear = [];
    this.toCheckpoint = [];
    return checkpoints;
  }

  /** The log did not take `checkpoints`. Whoever waits for them asks again. */
  checkpointsFailed(checkpoints: readonly LeaseCheckpoint[], find: (id: bigint) => Lease | undefined): void {
    for (const { id, remainingSeconds } of checkpoints) {
      const countdown = find(id)?.countdown;
      if (countdown === undefined) continue;
      if (remainingSeconds > 0) countdown.checkpointsOut--;
      else {
        this.answer(countdown.clearing, undefined);
        countdown.clearing = undefined;
        if (countdown.late === undefined) this.waitedFor.delete(countdown);
      }
    }
  }

  /** Marks what a successor would not know, so that `takeCheckpoints` gives it: leadership is being handed over. */
  checkpointAll(leases: Iterable<Lease>): void {
    this.toCheckpoint = [];
    for (const lease of leases) {
      if (this.toCheckpoint.length >= limits.leaseHandOverCheckpointsMax) return;
      const countdown = this.current(lease);
      if (countdown !== undefined && this.worthCheckpointing(countdown)) this.toCheckpoint.push(countdown);
    }
  }

  /** Whether `takeCheckpoints`, or `takeExpired` with `confirmedMs`, has something to give. */
  hasWork(confirmedMs: number): boolean {
    if (this.toClear.length > 0 || this.toCheckpoint.length > 0) return true;
    if (this.endingCount >= limits.leaseRevokesInFlightMax) return false;
    const deadlineMs = this.earliestExpired();
    return deadlineMs !== undefined && deadlineMs <= confirmedMs;
  }

  takeAnswers(): readonly LeaseAnswer[] {
    if (this.answers.length === 0) return noAnswers;
    const { answers } = this;
    this.answers = [];
    return answers;
  }

  /** The countdown of this time of leading, where there is one yet. */
  private current({ countdown }: Lease): Countdown | undefined {
    return this.isLeading && countdown?.era === this.era ? countdown : undefined;
  }

  /** It waits for its lease's end, or until the log knows again that the whole time is left. */
  private renewLater(lease: Lease, ticket: RenewalTicket): void {
    const countdown = this.current(lease);
    assert(countdown !== undefined, "a countdown was begun before its end is awaited");
    this.waitedFor.add(countdown);
    if (countdown.hasRunOut(this.nowMs)) {
      countdown.late ??= [];
      countdown.late.push(ticket);
      return;
    }
    this.countAnew(countdown);
    if (countdown.clearing === undefined) {
      this.toClear.push(countdown);
      countdown.clearing = [];
    }
    countdown.clearing.push(ticket);
  }

  private countAnew(countdown: Countdown): void {
    failpoints.beforeCheckpointInLeaseRenew?.();
    countdown.wasRenewed = true;
    this.count(countdown, countdown.lease.ttlSeconds * 1_000);
  }

  private takeOver(lease: Lease): Countdown {
    const countdown = new Countdown(lease, this.era);
    lease.countdown = countdown;
    this.count(countdown, this.takeOverMs(lease));
    return countdown;
  }

  private takeOverMs(lease: Lease): number {
    const leftSeconds = lease.remainingSeconds > 0 ? lease.remainingSeconds : lease.ttlSeconds;
    return leftSeconds * 1_000 + this.extendMs;
  }

  /** Takes over, or lets go of, the next leases. Those that came or went meanwhile look after themselves. */
  private sweepSlice(): void {
    for (let count = 0; this.sweep !== undefined && count < limits.leaseStartsPerTickMax; count++) {
      const next = this.sweep.next();
      if (next.done === true) this.sweep = undefined;
      else if (!this.isLeading) next.value.countdown = undefined;
      else if (this.current(next.value) === undefined) this.takeOver(next.value);
    }
  }

  private count(countdown: Countdown, durationMs: number): void {
    if (countdown.freshMs === 0) this.fresh.push(countdown);
    countdown.freshMs = durationMs;
  }

  private startFresh(): void {
    const { fresh } = this;
    const count = Math.min(fresh.length, limits.leaseStartsPerTickMax);
    for (let at = 0; at < count; at++) {
      const countdown = fresh[at]!;
      if (!countdown.isCurrent) continue;
      // The tick's time was cut to whole milliseconds.
      countdown.deadlineMs = this.nowMs + 1 + countdown.freshMs;
      countdown.freshMs = 0;
      countdown.checkpointMs = this.nowMs + firstCheckpointMs(countdown);
      if (countdown.queuePosition < 0) this.sleep(countdown);
      // One that sleeps wakes at the old time, sees the new one, and sleeps on: so a renewal costs no place.
    }
    this.fresh = count === fresh.length ? [] : fresh.slice(count);
  }

  private sleep(countdown: Countdown): void {
    countdown.wakeMs = Math.min(countdown.deadlineMs, countdown.checkpointMs);
    this.queue.add(countdown);
  }

  private wake(countdown: Countdown): void {
    if (countdown.freshMs > 0) return;
    if (countdown.deadlineMs <= this.nowMs) {
      this.expired.push(countdown);
      return;
    }
    if (countdown.checkpointMs <= this.nowMs) this.planCheckpoint(countdown);
    this.sleep(countdown);
  }

  private planCheckpoint(countdown: Countdown): void {
    const everyMs = checkpointEveryMs(countdown.lease);
    if (this.toCheckpoint.length >= limits.leaseCheckpointsPerTickMax) {
      // Too many at once: it costs a successor's precision, not correctness, to pass some over.
      countdown.checkpointMs = this.nowMs + 2 * everyMs;
      return;
    }
    countdown.checkpointMs = this.nowMs + everyMs;
    if (this.worthCheckpointing(countdown)) this.toCheckpoint.push(countdown);
  }

  /** Whether a successor would grant more than what is left. While a checkpoint is taken back none is made. */
  private worthCheckpointing(countdown: Countdown): boolean {
    const { lease } = countdown;
    if (countdown.freshMs > 0 || countdown.clearing !== undefined || countdown.deadlineMs <= this.nowMs)
      return false;
    const known = lease.remainingSeconds > 0 ? lease.remainingSeconds : lease.ttlSeconds;
    return this.leftSeconds(countdown) < known;
  }

  private addCheckpoint(countdown: Countdown, checkpoints: LeaseCheckpoint[]): void {
    if (!countdown.isCurrent || !this.worthCheckpointing(countdown)) return;
    countdown.checkpointsOut++;
    checkpoints.push({ id: countdown.lease.id, remainingSeconds: this.leftSeconds(countdown) });
  }

  /** Rounded up: a successor must not end it early. */
  private leftSeconds(countdown: Countdown): number {
    return Math.ceil((countdown.deadlineMs - this.nowMs) / 1_000);
  }

  /**
   * The log says again that the whole time is left, so the whole time is counted from now: without a quorum this may
   * be long after the keep-alives came, and no checkpoint was made meanwhile. Where the lease ran out while they
   * waited, they learn how it ended.
   */
  private cleared(countdown: Countdown, waiting: readonly RenewalTicket[]): void {
    const { lease } = countdown;
    countdown.clearing = undefined;
    if (countdown.hasRunOut(this.nowMs)) {
      countdown.late = [...(countdown.late ?? []), ...waiting];
      return;
    }
    this.count(countdown, lease.ttlSeconds * 1_000);
    this.metrics.renewed.add(waiting.length);
    this.answer(waiting, lease.ttlSeconds);
    // Nobody is late: keep-alives are so only after the deadline.
    this.waitedFor.delete(countdown);
  }

  private answerAll(countdown: Countdown, ttlSeconds: number | undefined): void {
    this.answer(countdown.late, ttlSeconds);
    this.answer(countdown.clearing, ttlSeconds);
    countdown.late = undefined;
    countdown.clearing = undefined;
    this.waitedFor.delete(countdown);
  }

  private answer(tickets: readonly RenewalTicket[] | undefined, ttlSeconds: number | undefined): void {
    for (const ticket of tickets ?? []) this.answers.push({ ticket, ttlSeconds });
  }

  /** Those at the front that ended otherwise, by a client's revoke. */
  private dropAnswered(): void {
    let gone = 0;
    while (gone < this.expired.length && !this.expired[gone]!.isCurrent) gone++;
    if (gone > 0) this.expired.splice(0, gone);
  }
}

const noAnswers: readonly LeaseAnswer[] = [];
