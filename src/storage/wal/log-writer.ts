/**
 * Says what each append puts where: pure, so that the simulator writes its simulated disk with it. The files are
 * touched in wal.ts.
 *
 * A segment begins with the checksum so far, the metadata and the hard state, then records follow. A write that
 * does not fit into the segment begins the next one, and is on disk there before that segment gets its name.
 */
import { assert } from "../../base/assert.js";
import type { Index } from "../../base/brand.js";
import { failpoints } from "../../base/failpoint.js";
import { limits } from "../../base/limits.js";
import type { LogAppend, LogMark } from "../../ports/raft-log.js";
import { entrySizeBytes } from "../../raft/codec.js";
import { emptyConfState, type HardState } from "../../raft/types.js";
import { BatchEncoder, frameOverheadBytesMax } from "./batch-encoder.js";
import { type SegmentRef, segmentRef } from "./segment-name.js";

export interface WriterStart {
  readonly metadata: Uint8Array;
  /** The size that segments are given before they are used. */
  readonly segmentBytes: number;
  /** Oldest first; the last is written to. */
  readonly segments: readonly SegmentRef[];
  /** The newest durable mark of each segment that has one, by name. */
  readonly marks: ReadonlyMap<string, Index>;
  readonly offsetBytes: number;
  /** From here on the last segment has no space on disk yet, only a size. */
  readonly filledBytes: number;
  readonly chain: number;
  readonly hardState: HardState;
  readonly lastIndex: Index;
}

export interface PlannedWrite {
  /** Valid until the next call of `plan`. */
  readonly bytes: Uint8Array;
  readonly offsetBytes: number;
  /** Set where the write begins this segment: its file gets its name once the write is durable. */
  readonly opens: SegmentRef | undefined;
}

interface HeldSegment {
  readonly ref: SegmentRef;
  mark: Index | undefined;
}

export class LogWriter {
  private readonly encoder: BatchEncoder;
  private readonly held: HeldSegment[];
  private offsetBytes: number;
  private filledBytes: number;
  private hardState: HardState;
  private lastIndex: Index;
  private allSynced = true;
  private newMark: Index | undefined;

  constructor(private readonly start: WriterStart) {
    this.encoder = new BatchEncoder(start.chain);
    this.held = start.segments.map((ref) => ({ ref, mark: start.marks.get(ref.name) }));
    this.offsetBytes = start.offsetBytes;
    this.filledBytes = start.filledBytes;
    this.hardState = start.hardState;
    this.lastIndex = start.lastIndex;
  }

  /** What begins a new log: the first segment, with a mark at index 0. */
  static firstWrite(metadata: Uint8Array): { readonly bytes: Uint8Array; readonly chain: number } {
    const encoder = new BatchEncoder(0);
    encoder.chainRecord();
    encoder.metadata(metadata);
    encoder.mark({ index: 0, term: 0, confState: emptyConfState });
    return { bytes: encoder.bytes(), chain: encoder.crc };
  }

  /** True where all that was planned is durable. */
  get synced(): boolean {
    return this.allSynced;
  }

  /** The part of the segment in use that is written, from 0 to 1 or more. */
  get usedFraction(): number {
    return this.offsetBytes / this.start.segmentBytes;
  }

  /**
   * The one write for all of `appends`; undefined where they hold nothing. Where it begins a segment and `synced`
   * was false, the segment before is to be synced first.
   */
  plan(appends: readonly LogAppend[]): PlannedWrite | undefined {
    const boundBytes = sizeBoundBytes(appends);
    if (boundBytes === 0) return undefined;
    const { encoder } = this;
    const opens = this.offsetBytes + boundBytes > this.start.segmentBytes ? this.nextSegment() : undefined;
    encoder.start();
    if (opens !== undefined) this.beginSegment(opens);
    else if (this.allSynced) encoder.chainRecord();
    for (const append of appends) this.encode(append);
    this.allSynced = false;
    const offsetBytes = this.offsetBytes;
    this.offsetBytes = offsetBytes + encoder.lengthBytes;
    this.fillAhead();
    return { bytes: encoder.bytes(), offsetBytes, opens };
  }

  /** Everything planned so far was written and synced. */
  markSynced(): void {
    this.allSynced = true;
    this.keepNewMark();
  }

  /** The segment that `plan` opened has space on disk up to `filledBytes` already. */
  segmentFilled(filledBytes: number): void {
    this.filledBytes = Math.max(this.filledBytes, filledBytes);
  }

  /**
   * Forgets the oldest segments that nobody needs who has everything up to `index` in a durable store, and returns
   * them, oldest first. The newest durable mark at or below `index` stays, and every entry after it.
   */
  release(index: Index): SegmentRef[] {
    const { held } = this;
    let keep = -1;
    for (let at = 0; at < held.length; at++) {
      const mark = held[at]!.mark;
      if (mark !== undefined && mark <= index) keep = at;
    }
    if (keep < 0) return [];
    const mark = held[keep]!.mark!;
    while (keep > 0 && held[keep]!.ref.firstIndex > mark + 1) keep--;
    return held.splice(0, keep).map((segment) => segment.ref);
  }

  private nextSegment(): SegmentRef {
    return segmentRef(this.held.at(-1)!.ref.sequence + 1, this.lastIndex + 1);
  }

  private beginSegment(ref: SegmentRef): void {
    const { encoder, hardState } = this;
    // The segment before is synced before this one is written, so its mark holds.
    this.keepNewMark();
    this.held.push({ ref, mark: undefined });
    this.offsetBytes = 0;
    this.filledBytes = 0;
    encoder.chainRecord();
    encoder.metadata(this.start.metadata);
    if (hardState.term > 0 || hardState.commit > 0) encoder.hardState(hardState);
  }

  private encode(append: LogAppend): void {
    const { encoder } = this;
    const { entries, hardState, mark } = append;
    // Entries right behind a mark belong to the log that a snapshot has just replaced: the mark goes first.
    const markLeads = mark !== undefined && entries[0]?.index === mark.index + 1;
    if (markLeads) this.encodeMark(mark);
    for (const entry of entries) {
      assert(entry.index <= this.lastIndex + 1, "entries join the log without a gap");
      encoder.entry(entry);
      this.lastIndex = entry.index;
    }
    if (hardState !== undefined) {
      encoder.hardState(hardState);
      this.hardState = hardState;
    }
    if (mark !== undefined && !markLeads) this.encodeMark(mark);
  }

  private keepNewMark(): void {
    if (this.newMark === undefined) return;
    this.held.at(-1)!.mark = this.newMark;
    this.newMark = undefined;
  }

  private encodeMark(mark: LogMark): void {
    failpoints.raftBeforeWALSaveSnaphot?.();
    this.encoder.mark(mark);
    this.lastIndex = Math.max(this.lastIndex, mark.index);
    this.newMark = mark.index;
  }

  /**
   * A write into space that the file system has not placed yet costs its fdatasync a journal commit. Where the
   * records pass the filled part, zeros up to the next multiple of `walFillBytes` go with them.
   */
  private fillAhead(): void {
    if (this.offsetBytes <= this.filledBytes) return;
    const step = limits.walFillBytes;
    const target = Math.min(Math.ceil(this.offsetBytes / step) * step, this.start.segmentBytes);
    if (target > this.offsetBytes) this.encoder.fill(target - this.offsetBytes);
    this.filledBytes = Math.max(target, this.offsetBytes);
  }
}

/** An upper bound of what `appends` take in the log, 0 where they hold nothing. */
function sizeBoundBytes(appends: readonly LogAppend[]): number {
  let bytes = 0;
  for (const { entries, hardState, mark } of appends) {
    for (const entry of entries) bytes += entrySizeBytes(entry) + frameOverheadBytesMax;
    if (hardState !== undefined) bytes += 33 + frameOverheadBytesMax;
    if (mark !== undefined) {
      const { voters, learners, votersOutgoing, learnersNext } = mark.confState;
      const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
      bytes += 40 + 11 * ids + frameOverheadBytesMax;
    }
  }
  return bytes === 0 ? 0 : bytes + frameOverheadBytesMax;
}
