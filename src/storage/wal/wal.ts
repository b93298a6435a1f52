/**
 * The Raft log on disk, in etcd's file format: `<dir>/%016x-%016x.wal`. Formats and rules are in record.ts (bytes),
 * tail.ts (what a crash may leave), replay.ts (reading), log-writer.ts (what goes where); this file does the I/O.
 *
 * One `append` is one write and one fdatasync, on the event loop or in the pool as sync-policy.ts decides. After
 * a failed write or sync nothing is known about what is on the disk, nor would a second fsync tell: the log
 * refuses everything from then on, and the process is expected to stop.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../base/assert.js";
import type { Index } from "../../base/brand.js";
import { failpoints } from "../../base/failpoint.js";
import type { Logger } from "../../base/logger.js";
import type { Clock } from "../../ports/clock.js";
import type { LogAppend, RaftLog } from "../../ports/raft-log.js";
import type { LogWriter, PlannedWrite } from "./log-writer.js";
import type { NextSegment } from "./next-segment.js";
import { renameDurably, type SegmentFile, syncDirectory } from "./segment-file.js";
import type { SegmentRef } from "./segment-name.js";
import { SyncPolicy } from "./sync-policy.js";

/** Feeds etcd_disk_wal_write_bytes_total, …_write_duration_seconds and …_fsync_duration_seconds. */
export interface WalObserver {
  wrote(bytes: number, durationMs: number): void;
  synced(durationMs: number): void;
}

export interface WalDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly observer: WalObserver;
}

export interface WalParts {
  readonly directory: string;
  readonly writer: LogWriter;
  /** The segment in use. */
  readonly file: SegmentFile;
  readonly next: NextSegment;
}

/** What operators filter the log lines by. */
export const logCaller = "storage/wal";
/** A sync that takes longer than this is worth a line in the log; etcd's figure. */
const slowSyncMs = 1_000;

export class Wal implements RaftLog {
  private readonly policy = new SyncPolicy();
  private readonly directory: string;
  private readonly writer: LogWriter;
  private readonly next: NextSegment;
  private file: SegmentFile;
  private appending: Promise<void> | undefined;
  private failure: Error | undefined;
  private closed = false;

  constructor(
    parts: WalParts,
    private readonly deps: WalDeps,
  ) {
    this.directory = parts.directory;
    this.writer = parts.writer;
    this.next = parts.next;
    this.file = parts.file;
  }

  append(
    appends: readonly LogAppend[],
    { mustSync }: { readonly mustSync: boolean },
  ): Promise<void> | undefined {
    assert(this.appending === undefined, "one append at a time");
    this.checkUsable();
    try {
      const rest = this.appendNow(appends, mustSync);
      if (rest !== undefined) this.appending = this.awaitRest(rest);
      else this.next.advance(this.writer.usedFraction);
    } catch (error) {
      throw this.noteFailure(error);
    }
    return this.appending;
  }

  async release(index: Index): Promise<void> {
    // What an append in hand makes of the log decides what may go.
    await this.appending;
    this.checkUsable();
    const segments = this.writer.release(index);
    for (const { name } of segments) await rm(join(this.directory, name), { force: true });
    if (segments.length === 0) return;
    await syncDirectory(this.directory);
    this.deps.logger.info(logCaller, "released log segments", { count: segments.length, index });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.appending?.catch(() => {});
    this.closed = true;
    await this.next.close();
    if (this.failure === undefined && !this.writer.synced) await this.file.sync();
    await this.file.close();
  }

  private checkUsable(): void {
    if (this.failure !== undefined) {
      throw new Error(`the Raft log failed before and takes no more: ${this.failure.message}`, {
        cause: this.failure,
      });
    }
    if (this.closed) throw new Error("the Raft log is closed");
  }

  private noteFailure(error: unknown): Error {
    this.failure = error instanceof Error ? error : new Error(String(error));
    return this.failure;
  }

  /** Undefined where all of it was done on the event loop: promises made a tenth of the garbage of a lone put. */
  private appendNow(appends: readonly LogAppend[], mustSync: boolean): Promise<void> | undefined {
    const wasSynced = this.writer.synced;
    const planned = this.writer.plan(appends);
    if (planned?.opens !== undefined) return this.begin(planned, planned.opens, wasSynced);
    if (planned !== undefined && !this.writeOnLoop(planned)) return this.writeInPool(planned, mustSync);
    return this.sync(planned?.bytes.length ?? 0, mustSync);
  }

  private async awaitRest(rest: Promise<void>): Promise<void> {
    try {
      await rest;
      this.next.advance(this.writer.usedFraction);
    } catch (error) {
      throw this.noteFailure(error);
    } finally {
      this.appending = undefined;
    }
  }

  /** False where it is not to be made on the event loop. */
  private writeOnLoop({ bytes, offsetBytes }: PlannedWrite): boolean {
    const { clock, observer } = this.deps;
    const start = clock.monotonicMs();
    if (!this.policy.writesOnLoop(bytes.length, start)) return false;
    this.file.writeOnLoop(bytes, offsetBytes);
    const end = clock.monotonicMs();
    this.policy.tookOnLoop(end - start, end);
    observer.wrote(bytes.length, end - start);
    return true;
  }

  private async writeInPool({ bytes, offsetBytes }: PlannedWrite, mustSync: boolean): Promise<void> {
    const { clock, observer } = this.deps;
    const start = clock.monotonicMs();
    await this.file.write(bytes, offsetBytes);
    observer.wrote(bytes.length, clock.monotonicMs() - start);
    await this.sync(bytes.length, mustSync);
  }

  /** Makes durable what was written, `sizeBytes` of it just now. Undefined where that is done. */
  private sync(sizeBytes: number, mustSync: boolean): Promise<void> | undefined {
    if (!mustSync || this.writer.synced) return undefined;
    failpoints.walBeforeSync?.();
    const start = this.deps.clock.monotonicMs();
    if (!this.policy.syncsOnLoop(sizeBytes, start)) return this.syncInPool(start);
    this.file.syncOnLoop();
    const end = this.deps.clock.monotonicMs();
    this.policy.tookOnLoop(end - start, end);
    this.afterSync(end - start);
    return undefined;
  }

  private async syncInPool(start: number): Promise<void> {
    await this.file.sync();
    const tookMs = this.deps.clock.monotonicMs() - start;
    this.policy.syncedInPool(tookMs);
    this.afterSync(tookMs);
  }

  private afterSync(tookMs: number): void {
    this.writer.markSynced();
    this.deps.observer.synced(tookMs);
    if (tookMs > slowSyncMs) {
      this.deps.logger.warn(logCaller, "slow fdatasync", { tookMs, expectedMs: slowSyncMs });
    }
    failpoints.walAfterSync?.();
  }

  /**
   * Begins the next segment with `planned`. It is durable before it gets its name, and its name is durable before
   * this resolves: a crash leaves either the log as it was or all of it, so a segment is whole whenever a newer
   * one exists.
   */
  private async begin(planned: PlannedWrite, ref: SegmentRef, wasSynced: boolean): Promise<void> {
    const { clock, logger, observer } = this.deps;
    if (!wasSynced) await this.file.sync();
    const prepared = await this.next.take();
    const start = clock.monotonicMs();
    await prepared.file.write(planned.bytes, planned.offsetBytes);
    observer.wrote(planned.bytes.length, clock.monotonicMs() - start);
    failpoints.walBeforeSync?.();
    const before = clock.monotonicMs();
    await prepared.file.sync();
    const tookMs = clock.monotonicMs() - before;
    await renameDurably(prepared.path, join(this.directory, ref.name));
    const old = this.file;
    this.file = prepared.file;
    this.writer.segmentFilled(prepared.filledBytes);
    this.afterSync(tookMs);
    await old.close();
    logger.info(logCaller, "created a new WAL segment", { path: join(this.directory, ref.name) });
  }
}
