/**
 * Whether the next write and its fdatasync are made on the event loop or by a thread of the pool.
 *
 * Measured on ext4 over a virtual NVMe disk, two cores, 400-byte appends into filled space: write + fdatasync on
 * the loop 105 to 115 µs, through the pool 170 to 230 µs: two hand-overs to a thread and back. But a call on the
 * loop stops everything else while the disk thinks, so it is right only while the disk answers in a fraction of a
 * millisecond.
 *
 * Durations seen through the pool contain what the event loop was busy with, so the smallest of a window counts
 * there; on the loop they are exact, and a moving average over about eight counts, or a single stall. Each
 * return to the pool doubles the window that must pass before the next try, until a long time on the loop went
 * well: a disk that stalls now and then ends up in the pool for good.
 */
export const syncPolicyFigures = {
  /** A disk that answers within this is used on the loop. */
  fastMs: 0.4,
  /** One answer that takes longer than this ends it. */
  stallMs: 2,
  /** Syncs in the pool before the loop is tried. */
  windowMin: 32,
  windowMax: 32_768,
  /** Syncs on the loop after which earlier stalls are forgotten. */
  forgiveAfter: 16_384,
  /** Larger writes go to the pool: the copy into the page cache alone takes a tenth of a millisecond. */
  loopBytesMax: 256 * 1024,
} as const;

const averageWeight = 1 / 8;

export class SyncPolicy {
  private loop = false;
  private window: number = syncPolicyFigures.windowMin;
  private seen = 0;
  private smallestMs = Number.POSITIVE_INFINITY;
  private averageMs = 0;

  /** True where a write of this size is to be made on the event loop. */
  onLoop(sizeBytes: number): boolean {
    return this.loop && sizeBytes <= syncPolicyFigures.loopBytesMax;
  }

  /** A write and its fdatasync took this long on the event loop. */
  tookOnLoop(durationMs: number): void {
    const { fastMs, stallMs, forgiveAfter, windowMin, windowMax } = syncPolicyFigures;
    this.averageMs += (durationMs - this.averageMs) * averageWeight;
    this.seen++;
    if (this.seen === forgiveAfter) this.window = windowMin;
    if (durationMs <= stallMs && this.averageMs <= fastMs) return;
    this.loop = false;
    this.window = Math.min(this.window * 2, windowMax);
    this.seen = 0;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }

  /** The same through the pool, from the call to its answer. */
  tookInPool(durationMs: number): void {
    if (this.loop) return;
    this.smallestMs = Math.min(this.smallestMs, durationMs);
    this.seen++;
    if (this.seen < this.window) return;
    this.seen = 0;
    this.loop = this.smallestMs <= syncPolicyFigures.fastMs;
    this.averageMs = this.smallestMs;
    this.smallestMs = Number.POSITIVE_INFINITY;
  }
}
