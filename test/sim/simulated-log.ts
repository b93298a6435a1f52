/**
 * The Raft log over the simulated disk: what storage/wal/wal.ts and open.ts do with files, step for step, with the
 * real writer and the real reader. Tells `watch` what is written and what is durable, from the disk's own mouth.
 */
import { assert } from "../../src/base/assert.js";
import type { Index } from "../../src/base/brand.js";
import { failpoints } from "../../src/base/failpoint.js";
import type { LogAppend, RaftLog, RecoveredLog } from "../../src/ports/raft-log.js";
import type { HardState } from "../../src/raft/types.js";
import { emptyConfState } from "../../src/raft/types.js";
import { LogWriter, type PlannedWrite } from "../../src/storage/wal/log-writer.js";
import { type LogEnd, LogReplay } from "../../src/storage/wal/replay.js";
import {
  newestRun,
  type SegmentRef,
  segmentRef,
  sortedSegments,
} from "../../src/storage/wal/segment-name.js";
import type { Branch, Coverage } from "./coverage.js";
import { type Directory, type SimulatedDisk, SimulatedFile } from "./disk.js";
import type { Sleep } from "./simulated-store.js";

/** Who keeps book of what the log of a member holds. */
export interface LogWatch {
  written(append: LogAppend): void;
  /** Everything written so far is on the disk. */
  synced(): void;
}

export interface LogDeps {
  readonly disk: SimulatedDisk;
  readonly sleep: Sleep;
  readonly watch: LogWatch;
  readonly coverage: Coverage;
  /** Called where a crash would leave something half done that seldom is. */
  readonly mayCrash: (where: Branch, probability: number) => void;
}

export interface LogOptions {
  readonly metadata: Uint8Array;
  readonly segmentBytes: number;
}

export class SimulatedLog implements RaftLog {
  private failed = false;
  private appending: Promise<void> | undefined;

  private constructor(
    private readonly options: LogOptions,
    private readonly deps: LogDeps,
    private readonly writer: LogWriter,
    private file: SimulatedFile,
    /** This process's own: after a crash the disk has another. */
    private readonly directory: Directory,
  ) {}

  static exists(disk: SimulatedDisk): boolean {
    return sortedSegments([...disk.log.names.keys()]).length > 0;
  }

  /** A new log: durable when it has its name, as createWal builds it beside its place. */
  static create(
    options: LogOptions,
    deps: LogDeps,
  ): { readonly log: SimulatedLog; readonly recovered: RecoveredLog } {
    const { metadata, segmentBytes } = options;
    const first = segmentRef(0, 0);
    const { bytes, chain } = LogWriter.firstWrite(metadata);
    const file = new SimulatedFile(segmentBytes);
    file.write(bytes, 0);
    file.sync();
    const directory = deps.disk.log;
    directory.names.set(first.name, file);
    directory.sync();
    const hardState: HardState = { term: 0, vote: 0n, commit: 0 };
    const writer = new LogWriter({
      metadata,
      segmentBytes,
      segments: [first],
      marks: new Map([[first.name, 0]]),
      offsetBytes: bytes.length,
      filledBytes: segmentBytes,
      chain,
      hardState,
      lastIndex: 0,
    });
    const mark = { index: 0, term: 0, confState: emptyConfState };
    const recovered = { metadata, hardState, entries: [], mark };
    return { log: new SimulatedLog(options, deps, writer, file, directory), recovered };
  }

  /** Errors: DamageError. */
  static open(
    fromMark: Index,
    options: LogOptions,
    deps: LogDeps,
  ): { readonly log: SimulatedLog; readonly recovered: RecoveredLog } {
    const directory = deps.disk.log;
    const { names } = directory;
    const segments = sortedSegments([...names.keys()]);
    const run = newestRun(segments);
    const replay = new LogReplay(fromMark);
    for (const ref of run) {
      replay.read({ ref, bytes: names.get(ref.name)!.pages, isLast: ref === run.at(-1) });
    }
    const { recovered, end } = replay.finish();
    for (const name of [...names.keys()]) if (name.endsWith(".tmp")) names.delete(name);
    const file = names.get(run.at(-1)!.name)!;
    settleTail(file, end, deps);
    directory.sync();
    const writer = writerAt(recovered, end, segments, file, options);
    return { log: new SimulatedLog(options, deps, writer, file, directory), recovered };
  }

  async append(appends: readonly LogAppend[], options: { readonly mustSync: boolean }): Promise<void> {
    assert(this.appending === undefined, "one append at a time");
    this.checkUsable();
    this.appending = this.appendNow(appends, options.mustSync);
    try {
      await this.appending;
    } catch (error) {
      this.failed = true;
      throw error;
    } finally {
      this.appending = undefined;
    }
  }

  async release(index: Index): Promise<void> {
    await this.appending;
    this.checkUsable();
    const { disk, sleep, coverage, mayCrash } = this.deps;
    const { directory } = this;
    const released = this.writer.release(index);
    for (const { name } of released) directory.names.delete(name);
    if (released.length === 0) return;
    coverage.hit("log/segments released");
    await sleep(disk.syncUs());
    mayCrash("log/segments released, crash before that was durable", 0.03);
    directory.sync();
  }

  async close(): Promise<void> {
    await this.appending?.catch(() => {});
    if (!this.failed && !this.writer.synced) await this.sync(this.file);
    this.failed = true;
  }

  private checkUsable(): void {
    if (this.failed) throw new Error("the Raft log failed before and takes no more");
  }

  private async appendNow(appends: readonly LogAppend[], mustSync: boolean): Promise<void> {
    const { writer } = this;
    const { disk, watch } = this.deps;
    const wasSynced = writer.synced;
    const planned = writer.plan(appends);
    if (planned?.opens !== undefined) {
      await this.begin(planned, planned.opens, wasSynced, appends);
      return;
    }
    if (planned !== undefined) {
      disk.checkSpace();
      this.file.write(planned.bytes, planned.offsetBytes);
      for (const append of appends) watch.written(append);
      if (disk.dice.chance(0.1)) this.file.writeBack(disk.dice, 0.5);
    }
    if (!mustSync || writer.synced) return;
    failpoints.walBeforeSync?.();
    await this.sync(this.file);
    this.afterSync();
  }

  private afterSync(): void {
    this.writer.markSynced();
    this.deps.watch.synced();
    failpoints.walAfterSync?.();
  }

  private async sync(file: SimulatedFile): Promise<void> {
    const { disk, sleep } = this.deps;
    await sleep(disk.syncUs());
    disk.checkSync();
    file.sync();
  }

  /** As Wal.begin: the new segment is durable before it has its name, and its name before anyone hears of it. */
  private async begin(
    planned: PlannedWrite,
    ref: SegmentRef,
    wasSynced: boolean,
    appends: readonly LogAppend[],
  ): Promise<void> {
    const { disk, sleep, watch, coverage } = this.deps;
    const { directory } = this;
    // The plan's memory is the next plan's; nothing is planned before this ends, but a copy is simpler to trust.
    const bytes = planned.bytes.slice();
    if (!wasSynced) await this.sync(this.file);
    disk.checkSpace();
    const temporary = `${ref.sequence % 2}.tmp`;
    const file = new SimulatedFile(this.options.segmentBytes);
    directory.names.set(temporary, file);
    file.write(bytes, planned.offsetBytes);
    failpoints.walBeforeSync?.();
    await this.sync(file);
    directory.names.delete(temporary);
    directory.names.set(ref.name, file);
    await sleep(disk.syncUs());
    directory.sync();
    this.file = file;
    this.writer.segmentFilled(this.options.segmentBytes);
    for (const append of appends) watch.written(append);
    coverage.hit("log/segment begun");
    this.afterSync();
  }
}

function writerAt(
  recovered: RecoveredLog,
  end: LogEnd,
  segments: readonly SegmentRef[],
  file: SimulatedFile,
  options: LogOptions,
): LogWriter {
  return new LogWriter({
    metadata: recovered.metadata,
    segmentBytes: options.segmentBytes,
    segments,
    marks: end.marks,
    offsetBytes: end.offsetBytes,
    filledBytes: end.torn ? end.offsetBytes : file.sizeBytes,
    chain: end.chain,
    hardState: end.hardState,
    lastIndex: end.lastIndex,
  });
}

/** As settleTail of open.ts: a torn write is made zero; what was read is made durable before anyone relies on it. */
function settleTail(file: SimulatedFile, end: LogEnd, deps: LogDeps): void {
  if (end.torn) {
    deps.coverage.hit("log/torn write cut");
    file.write(new Uint8Array(file.sizeBytes - end.offsetBytes), end.offsetBytes);
    deps.mayCrash("log/torn write cut, crash before the cut was durable", 0.15);
  }
  // Killed processes leave writes in the page cache only.
  file.sync();
}
