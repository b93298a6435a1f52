/** Creating the Raft log of a new member, and opening that of an old one. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Index } from "../../base/brand.js";
import { DamageError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { RaftLog, RecoveredLog } from "../../ports/raft-log.js";
import { emptyConfState, type HardState } from "../../raft/types.js";
import { unusableLog } from "./damage.js";
import { LogWriter } from "./log-writer.js";
import { NextSegment } from "./next-segment.js";
import { type LogEnd, LogReplay } from "./replay.js";
import { directoryMode, readSegment, renameDurably, SegmentFile, syncDirectory } from "./segment-file.js";
import { newestRun, type SegmentRef, segmentRef, sortedSegments } from "./segment-name.js";
import { logCaller, Wal, type WalDeps } from "./wal.js";

export interface CreateOptions {
  /** Opaque bytes (etcdserverpb.Metadata), repeated at the head of every segment. */
  readonly metadata: Uint8Array;
  /** Preallocated size of a segment: `limits.walSegmentBytes`, less in tests. */
  readonly segmentBytes: number;
}

export interface OpenOptions {
  /**
   * Index up to which the caller's store holds everything durably. Where it is not known yet, the disk is read meanwhile;
   * nothing is changed before it is known.
   */
  readonly fromMark: Index | Promise<Index>;
  readonly segmentBytes: number;
}

export interface OpenedWal {
  readonly recovered: RecoveredLog;
  readonly log: RaftLog;
}

/** True where `directory` holds a log. A creation that a crash cut short has left none. */
export async function walExists(directory: string): Promise<boolean> {
  try {
    return sortedSegments(await readdir(directory)).length > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/**
 * Makes a new log in `directory`, which must not exist or be empty; its parent is made where it is missing. The
 * log appears whole or not at all: it is built beside its place and renamed. The caller sees to it that no other
 * process uses the directory.
 */
export async function createWal(
  directory: string,
  options: CreateOptions,
  deps: WalDeps,
): Promise<OpenedWal> {
  const { metadata, segmentBytes } = options;
  const path = resolve(directory);
  const building = `${path}.tmp`;
  const parent = dirname(path);
  await mkdir(parent, { recursive: true, mode: directoryMode });
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { mode: directoryMode });
  const first = segmentRef(0, 0);
  const { bytes, chain } = LogWriter.firstWrite(metadata);
  const filledBytes = Math.min(segmentBytes, limits.walFirstFillBytes);
  const file = await SegmentFile.create(join(building, first.name), segmentBytes);
  await file.fill(0, filledBytes);
  await file.write(bytes, 0);
  await file.sync();
  await syncDirectory(building);
  await renameDurably(building, path);
  deps.logger.info(logCaller, "created the Raft log", { path });
  const hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  const writer = new LogWriter({
    metadata,
    segmentBytes,
    segments: [first],
    marks: new Map([[first.name, 0]]),
    offsetBytes: bytes.length,
    filledBytes,
    chain,
    hardState,
    lastIndex: 0,
  });
  const recovered = {
    metadata,
    hardState,
    entries: [],
    mark: { index: 0, term: 0, confState: emptyConfState },
  };
  const next = new NextSegment(path, segmentBytes);
  return { recovered, log: new Wal({ directory: path, writer, file, next }, deps) };
}

/**
 * Opens the log in `directory`: reads and checks all of it, cuts away a torn write (tail.ts), and makes what was
 * recovered durable, as it may have been in the page cache only. Errors: DamageError, with what the operator can
 * do; nothing was changed then.
 */
export async function openWal(directory: string, options: OpenOptions, deps: WalDeps): Promise<OpenedWal> {
  const { fromMark, segmentBytes } = options;
  const path = resolve(directory);
  const names = await readdir(path);
  const segments = sortedSegments(names);
  const run = newestRun(segments);
  const { recovered, end } = await replayFiles(path, run, fromMark);
  for (const name of names) if (/^[0-9]+\.tmp$/.test(name)) await rm(join(path, name), { force: true });
  const last = run.at(-1)!;
  const file = await SegmentFile.open(join(path, last.name));
  const filledBytes = await settleTail(path, last, file, end, segmentBytes, deps);
  await syncDirectory(path);
  const writer = new LogWriter({
    metadata: recovered.metadata,
    segmentBytes,
    segments,
    marks: end.marks,
    offsetBytes: end.offsetBytes,
    filledBytes,
    chain: end.chain,
    hardState: end.hardState,
    lastIndex: end.lastIndex,
  });
  const next = new NextSegment(path, segmentBytes);
  return { recovered, log: new Wal({ directory: path, writer, file, next }, deps) };
}

async function replayFiles(path: string, run: readonly SegmentRef[], fromMark: Index | Promise<Index>) {
  if (run.length === 0) throw unusableLog(`no segment in ${path}`);
  let replay: LogReplay | undefined;
  try {
    for (const ref of run) {
      const bytes = await readSegment(join(path, ref.name));
      replay ??= new LogReplay(await fromMark);
      replay.read({ ref, bytes, isLast: ref === run.at(-1) });
    }
    return replay!.finish();
  } catch (error) {
    if (error instanceof DamageError) throw new DamageError(`${path}: ${error.message}`);
    throw error;
  }
}

/** Removes what a torn write left, gives the segment its full size, syncs it. Returns how far its space is placed. */
async function settleTail(
  path: string,
  last: SegmentRef,
  file: SegmentFile,
  end: LogEnd,
  segmentBytes: number,
  deps: WalDeps,
): Promise<number> {
  const { sizeBytes, placed } = await file.space();
  if (!end.torn && sizeBytes >= segmentBytes) {
    await file.sync();
    return placed ? sizeBytes : end.offsetBytes;
  }
  if (end.torn) {
    const fields = { path: join(path, last.name), offset: end.offsetBytes, lastIndex: end.lastIndex };
    deps.logger.warn(logCaller, "cut off a write that a crash had torn; it was never acknowledged", fields);
  }
  await file.cutAt(end.offsetBytes, Math.max(sizeBytes, segmentBytes));
  return end.offsetBytes;
}
