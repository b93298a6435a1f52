/**
 * Prepares the file of the next segment while the present one fills up: by the time it is needed it has its size,
 * and zeros in all of it, so that beginning a segment costs a write, a sync and a rename.
 *
 * It keeps step with the present segment instead of running ahead: a burst of megabytes of zeros would stand in the
 * way of the log's own syncs. What is not filled when the file is taken is filled by the writes themselves.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "../../base/limits.js";
import { SegmentFile } from "./segment-file.js";

export interface PreparedSegment {
  readonly file: SegmentFile;
  readonly path: string;
  readonly filledBytes: number;
}

export class NextSegment {
  private made = 0;
  private file: SegmentFile | undefined;
  private filledBytes = 0;
  private step: Promise<void> | undefined;
  private failure: unknown;

  constructor(
    private readonly directory: string,
    private readonly segmentBytes: number,
  ) {}

  /** Does one step in the background if the present segment, used to `usedFraction`, is ahead of the next one. */
  advance(usedFraction: number): void {
    if (this.step !== undefined || this.failure !== undefined) return;
    const target = Math.min(this.filledBytes + limits.walFillBytes, this.segmentBytes);
    if (target === this.filledBytes || target > usedFraction * this.segmentBytes) return;
    this.step = this.fillTo(target).then(
      () => {
        this.step = undefined;
      },
      (error: unknown) => {
        // Told when the segment is wanted: a disk that is full now may have space by then.
        this.failure = error;
        this.step = undefined;
      },
    );
  }

  /** Hands the file over; the next call of `advance` begins with another one. Rejects where the disk fails. */
  async take(): Promise<PreparedSegment> {
    await this.step;
    this.failure = undefined;
    const file = this.file ?? (await SegmentFile.create(this.path(), this.segmentBytes));
    const prepared = { file, path: this.path(), filledBytes: this.filledBytes };
    this.made++;
    this.file = undefined;
    this.filledBytes = 0;
    return prepared;
  }

  async close(): Promise<void> {
    await this.step;
    if (this.file === undefined) return;
    await this.file.close();
    this.file = undefined;
    await rm(this.path(), { force: true });
  }

  private async fillTo(target: number): Promise<void> {
    this.file ??= await SegmentFile.create(this.path(), this.segmentBytes);
    await this.file.fill(this.filledBytes, target);
    this.filledBytes = target;
  }

  /** Two names in turn, as etcd has them: the file taken last may not have its own name yet. */
  private path(): string {
    return join(this.directory, `${this.made % 2}.tmp`);
  }
}
