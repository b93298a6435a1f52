/**
 * Whether the next write and its fdatasync are made on the event loop or by a thread of the pool.
 *
 * Measured on ext4 over a virtual NVMe disk, two cores, 400-byte appends into filled space: write + fdatasync on
 * the loop 105 to 115 µs, through the pool 170 to 230 µs: two hand-overs to a thread and back. But a call on the
 * loop stops everything else while the disk thinks, so it is right only while the disk answers in a fraction of a
 * millisecond. And only for small batches: few wait, so the time of one counts. With a large batch many wait, and
 * the loop better serves the next ones during the sync.
 *
 * The write alone goes to the page cache (32 KB: 10 to 20 µs) and does not wait for the disk, however slow, so it
 * is made on the loop: the pool takes ten times as much of the processor for it. It waits all the same when the
 * system throttles or its journal is full.
 *
 * Every disk that is shared stalls now and then, one answer in a hundred takes milliseconds, and to give the loop
 * up for that would make the other ninety-nine slower. So stalls have a budget: what the loop waited beyond
 * `fastMs` is a debt that time pays off, a fifth of it. While the debt is above `debtMsMax` everything goes to the
 * pool. Example: an answer of 30 ms, and the pool works for the next 150 ms.
 *
 * Durations seen through the pool contain what the event loop was busy with, so the smallest of a window counts
 * there; on the loop they are exact.
 */
export const syncPolicyFigures = {
  /** A disk that answers within this is used on the loop. */
  fastMs: 0.4,
  /** Syncs in the pool of which one must be as fast before the loop is tried. */
  windowSyncs: 32,
  /** The part of the time, on average, that the loop may stand still for answers that took longer. */
  debtShare: 0.2,
  /** As much of it may come at once. */
  debtMsMax: 25,
  /** Larger batches are synced in the pool: some fifty puts of 300 bytes, as many clients. */
  loopSyncBytesMax: 16 * 1024,
  /** Larger batches are written in the pool as well: the copy into the page cache takes a tenth of a millisecond. */
  loopWriteBytesMax: 256 * 1024,
} as const;

/** All times are of one monotonic clock, in ms. */
export class SyncPolicy {
  private fast = false;
  private seen = 0;
  private smallestMs = Number.POSITIVE_INFINITY;
  /** What the loop waited too long, less what time has paid off since; as of `debtAtMs`. */
  private debtMs = 0;
  private debtAtMs = 0;
  private inDebt = false;

  /** True where a write of this size is to be made on the event loop. */
  writesOnLoop(sizeBytes: number, nowMs: number): boolean {
    return sizeBytes <= syncPolicyFigures.loopWriteBytesMax && !this.mustRepay(nowMs);
  }

  /** True where its fdatasync is to be made there as well. */
  syncsOnLoop(sizeBytes: number, nowMs: number): boolean {
    return this.fast && sizeBytes <= syncPolicyFigures.loopSyncBytesMax && !this.mustRepay(nowMs);
  }

  /** A write or an fdatasync took this long on the event loop, until now. */
  tookOnLoop(durationMs: number, nowMs: number): void {
    const { fastMs, debtMsMax } = syncPolicyFigures;
    if (durationMs <= fastMs) return;
    this.payOff(nowMs);
    this.debtMs += durationMs - fastMs;
    if (this.debtMs <= debtMsMax) return;
    this.inDebt = true;
    // The disk may have become another one: it has to prove itself anew.
    this.fast = false;
    this.seen = 0;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }

  /** An fdatasync took this long through the pool, from the call to its answer. */
  syncedInPool(durationMs: number): void {
    if (this.fast) return;
    this.smallestMs = Math.min(this.smallestMs, durationMs);
    this.seen++;
    if (this.seen < syncPolicyFigures.windowSyncs) return;
    this.seen = 0;
    this.fast = this.smallestMs <= syncPolicyFigures.fastMs;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }

  /** Once above the bound, all of the debt is to be paid: to go back and forth would be of no use. */
  private mustRepay(nowMs: number): boolean {
    if (!this.inDebt) return false;
    this.payOff(nowMs);
    this.inDebt = this.debtMs > 0;
    return this.inDebt;
  }

  private payOff(nowMs: number): void {
    const paidMs = (nowMs - this.debtAtMs) * syncPolicyFigures.debtShare;
    this.debtMs = Math.max(0, this.debtMs - paidMs);
    this.debtAtMs = nowMs;
  }
}
