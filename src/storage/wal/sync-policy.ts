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
 * is made on the loop: the pool takes ten times as much of the processor for it. Should it wait all the same (the
 * system throttles, or its journal is full), writes go to the pool for a while, twice as long each time.
 *
 * Durations seen through the pool contain what the event loop was busy with, so the smallest of a window counts
 * there; on the loop they are exact, and a moving average over about eight counts, or a single stall. Each
 * return to the pool doubles the window that must pass before the next try, until a long time on the loop went
 * well: a disk that stalls now and then ends up in the pool for good.
 */
export const syncPolicyFigures = {
  /** A disk that answers within this is used on the loop. */
  fastMs: 0.4,
  /** One sync or write on the loop that takes longer than this ends it. */
  stallMs: 2,
  /** The same through the pool: no step of the event loop is to take as long, so it was the disk. */
  stallInPoolMs: 25,
  /** Syncs in the pool before the loop is tried. */
  windowMin: 32,
  windowMax: 32_768,
  /** Syncs on the loop after which earlier stalls are forgotten. */
  forgiveAfter: 16_384,
  /** Larger batches are synced in the pool: some fifty puts of 300 bytes, as many clients. */
  loopSyncBytesMax: 16 * 1024,
  /** Larger batches are written in the pool as well: the copy into the page cache takes a tenth of a millisecond. */
  loopWriteBytesMax: 256 * 1024,
} as const;

const averageWeight = 1 / 8;

export class SyncPolicy {
  private fast = false;
  private window: number = syncPolicyFigures.windowMin;
  private seen = 0;
  private smallestMs = Number.POSITIVE_INFINITY;
  private averageMs = 0;
  /** Writes that are still to be made in the pool, and how many it will be after the next stall. */
  private writesInPool = 0;
  private writeWindow: number = syncPolicyFigures.windowMin;
  private writesSeen = 0;

  /** True where a write of this size is to be made on the event loop. */
  writesOnLoop(sizeBytes: number): boolean {
    return this.writesInPool === 0 && sizeBytes <= syncPolicyFigures.loopWriteBytesMax;
  }

  /** A write took this long on the event loop. */
  wroteOnLoop(durationMs: number): void {
    const { stallMs, forgiveAfter, windowMin, windowMax } = syncPolicyFigures;
    if (durationMs > stallMs) {
      this.writesInPool = this.writeWindow;
      this.writeWindow = Math.min(this.writeWindow * 2, windowMax);
      this.writesSeen = 0;
    } else if (++this.writesSeen === forgiveAfter) this.writeWindow = windowMin;
  }

  wroteInPool(): void {
    if (this.writesInPool > 0) this.writesInPool--;
  }

  /** True where its fdatasync is to be made there as well. */
  syncsOnLoop(sizeBytes: number): boolean {
    return this.fast && sizeBytes <= syncPolicyFigures.loopSyncBytesMax;
  }

  /** An fdatasync took this long on the event loop. */
  tookOnLoop(durationMs: number): void {
    const { fastMs, stallMs, forgiveAfter, windowMin } = syncPolicyFigures;
    this.averageMs += (durationMs - this.averageMs) * averageWeight;
    this.seen++;
    if (this.seen === forgiveAfter) this.window = windowMin;
    if (durationMs > stallMs || this.averageMs > fastMs) this.leaveLoop();
  }

  /** An fdatasync took this long through the pool, from the call to its answer. */
  tookInPool(durationMs: number): void {
    if (this.fast) {
      if (durationMs > syncPolicyFigures.stallInPoolMs) this.leaveLoop();
      return;
    }
    this.smallestMs = Math.min(this.smallestMs, durationMs);
    this.seen++;
    if (this.seen < this.window) return;
    this.seen = 0;
    this.fast = this.smallestMs <= syncPolicyFigures.fastMs;
    this.averageMs = this.smallestMs;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }

  private leaveLoop(): void {
    this.fast = false;
    this.window = Math.min(this.window * 2, syncPolicyFigures.windowMax);
    this.seen = 0;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }
}
