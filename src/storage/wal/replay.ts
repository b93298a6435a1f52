/**
 * Reads segments back, oldest first, into what the log says: pure, over bytes in memory, so that the simulator
 * reads its simulated disk with it. What is damage and what is a torn write is decided in tail.ts.
 *
 * Later records win: an entry whose index was there already removes that one and all after it, as a new leader
 * replaced the tail (Raft thesis, section 3.5). A mark that the entries do not reach, or whose term they
 * contradict, says that a snapshot replaced them all.
 *
 * A type is not covered by the checksum, so a flipped bit there is found by what a record may say: an entry never
 * rewrites a committed one, has a term and an index; terms never fall, in entries or hard states; metadata is the
 * same everywhere; Crc records have no data, marks and changes of members have some.
 */
import type { Index, Term } from "../../base/brand.js";
import { copyBytes, equalBytes } from "../../base/bytes.js";
import { ProtoError, ProtoReader } from "../../base/protowire.js";
import type { LogMark, RecoveredLog } from "../../ports/raft-log.js";
import { decodeHardState, readEntryHead } from "../../raft/codec.js";
import { EntryType, type HardState } from "../../raft/types.js";
import { damagedSegment, unusableLog } from "./damage.js";
import { EntryList } from "./entry-list.js";
import { decodeMark } from "./mark-codec.js";
import { type FrameRead, frameChecksum, RecordType, readFrame, usedEnd } from "./record.js";
import type { SegmentRef } from "./segment-name.js";
import { judgeTail } from "./tail.js";

export interface SegmentBytes {
  readonly ref: SegmentRef;
  /** All of the file; zeros at its end may be left out, in whole sectors. */
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** Where the next write goes. */
export interface LogEnd {
  readonly offsetBytes: number;
  /** Checksum over all data so far. */
  readonly chain: number;
  readonly lastIndex: Index;
  readonly hardState: HardState;
  /** The newest mark of each segment that has one. */
  readonly marks: ReadonlyMap<string, Index>;
  /** Bytes of a torn write follow `offsetBytes`: to be made zero before the next write. */
  readonly torn: boolean;
}

type WholeFrame = FrameRead & { readonly kind: "frame" };

export class LogReplay {
  private metadata: Uint8Array | undefined;
  private hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** Entry `base` + 1 and those after it. */
  private readonly entries = new EntryList();
  private base: Index = 0;
  private mark: LogMark | undefined;
  /** A snapshot beyond `fromMark` replaced the log. */
  private replacedBy: Index | undefined;
  private chain: number | undefined;
  private readonly marks = new Map<string, Index>();
  private offsetBytes = 0;
  private torn = false;

  /** `fromMark`: index up to which the caller's store holds everything durably. */
  constructor(private readonly fromMark: Index) {}

  /** Takes the next segment. Errors: DamageError. */
  read(segment: SegmentBytes): void {
    const { ref, bytes } = segment;
    this.entries.enterSegment(bytes);
    if (this.chain === undefined) this.base = Math.max(ref.firstIndex - 1, 0);
    let at = 0;
    for (let records = 0; ; records++) {
      const frame = readFrame(bytes, at);
      if (frame.kind !== "frame") {
        this.endAt(segment, at, records, frame);
        return;
      }
      if (!this.accept(segment, at, records, frame)) return;
      at = frame.end;
    }
  }

  /** Call after the last segment. Errors: DamageError where the log does not hold all after `fromMark`. */
  finish(): { recovered: RecoveredLog; end: LogEnd } {
    const { mark, fromMark } = this;
    if (this.metadata === undefined) throw unusableLog("it has no segment");
    const lastIndex = this.base + this.entries.length;
    if (this.replacedBy !== undefined) {
      throw unusableLog(
        `a snapshot at index ${this.replacedBy} replaced it, and the store ends at ${fromMark}`,
      );
    }
    if (mark === undefined || mark.index !== this.base) {
      throw unusableLog(`it begins after index ${this.base}, and the store ends at ${fromMark}`);
    }
    // A crash may keep the commit index of a received image and lose the mark of the same write: then the store has
    // what the log lacks, and the member begins the log anew (member/reconcile.ts).
    if (this.hardState.commit > Math.max(lastIndex, fromMark)) {
      throw unusableLog(`entries up to ${this.hardState.commit} were committed, and it ends at ${lastIndex}`);
    }
    const hardState = settled(this.hardState, mark, this.entries.termAt(this.entries.length - 1));
    const { offsetBytes, torn, marks } = this;
    return {
      recovered: { metadata: copyBytes(this.metadata), hardState, entries: this.entries.decode(), mark },
      end: { offsetBytes, chain: this.chain ?? 0, lastIndex, hardState, marks, torn },
    };
  }

  /** False where the frame is the bad place that ends the log. */
  private accept(segment: SegmentBytes, at: number, records: number, frame: WholeFrame): boolean {
    const { ref, bytes } = segment;
    const damaged = (reason: string) => damagedSegment(ref.name, at, reason);
    if (records === 0 && frame.type !== RecordType.Crc) throw damaged("the segment does not begin as one");
    if (records === 1 && frame.type !== RecordType.Metadata) throw damaged("the segment has no metadata");
    if (frame.type === RecordType.Crc) {
      if (frame.dataStart !== frame.dataEnd) throw damaged("a checksum record with data");
      if (this.chain !== undefined && this.chain !== frame.crc) {
        throw damaged("records before it are missing or altered");
      }
      this.chain = frame.crc;
      return true;
    }
    const crc = frameChecksum(bytes, frame, this.chain!);
    if (crc !== frame.crc) {
      this.endAt(segment, at, records, { kind: "checksum", end: frame.end });
      return false;
    }
    this.chain = crc;
    try {
      const wrong =
        frame.type === RecordType.Entry
          ? this.takeEntry(bytes, frame.dataStart, frame.dataEnd)
          : this.take(ref, frame.type, bytes.subarray(frame.dataStart, frame.dataEnd));
      if (wrong !== undefined) throw damaged(wrong);
    } catch (error) {
      if (error instanceof ProtoError) throw damaged(`a record can not be read (${error.message})`);
      throw error;
    }
    return true;
  }

  private endAt(
    segment: SegmentBytes,
    at: number,
    records: number,
    bad: Parameters<typeof judgeTail>[2],
  ): void {
    const { ref, bytes, isLast } = segment;
    // The head of a segment was synced before the segment got its name, and so was all of an older segment.
    if (records < 2) throw damagedSegment(ref.name, at, "the head of the segment is not whole");
    const clean = bad.kind === "zero" && usedEnd(bytes, at) === at;
    if (!isLast && !clean)
      throw damagedSegment(ref.name, at, "a record is not whole, and newer segments follow");
    const damage = clean ? undefined : judgeTail(bytes, at, bad);
    if (damage !== undefined) throw damagedSegment(ref.name, at, damage);
    this.offsetBytes = at;
    this.torn = !clean;
  }

  /** Returns what is wrong with the record, if anything. */
  private take(ref: SegmentRef, type: number, data: Uint8Array): string | undefined {
    switch (type) {
      case RecordType.Metadata: {
        const first = this.metadata;
        this.metadata = first ?? data;
        return first === undefined || equalBytes(first, data) ? undefined : "metadata of another member";
      }
      case RecordType.State:
        return this.takeHardState(decodeHardState(data));
      case RecordType.Mark:
        if (data.length === 0) return "a mark without an index";
        return this.takeMark(ref, decodeMark(data));
      default:
        return `a record of the unknown type ${type}`;
    }
  }

  private takeEntry(bytes: Uint8Array, start: number, end: number): string | undefined {
    const { entries } = this;
    const entry = readEntryHead(new ProtoReader(bytes, start, end));
    if (entry.index === 0 || entry.term === 0) return "an entry without term or index";
    if (entry.index <= this.hardState.commit) return `entry ${entry.index} again, after it was committed`;
    if (entry.type === EntryType.ConfChange && !entry.hasData) return "a change of members without content";
    const last = this.base + entries.length;
    if (entry.index > last + 1) return `entry ${entry.index} follows entry ${last}`;
    if (entry.index <= this.base) {
      // Only possible for the first entries of a log whose older segments were released.
      if (this.mark !== undefined && this.mark.index >= entry.index)
        return `entry ${entry.index} again, after a mark`;
      this.base = entry.index - 1;
    }
    entries.truncate(entry.index - 1 - this.base);
    if (entry.term < (entries.termAt(entries.length - 1) ?? 0))
      return `the term fell at entry ${entry.index}`;
    entries.push(entry.term, start, end);
    return undefined;
  }

  private takeHardState(state: HardState): string | undefined {
    if (state.term < this.hardState.term || state.commit < this.hardState.commit)
      return "term or commit fell";
    this.hardState = state;
    return undefined;
  }

  private takeMark(ref: SegmentRef, mark: LogMark): string | undefined {
    const { index } = mark;
    this.marks.set(ref.name, index);
    const known = this.entries.termAt(index - this.base - 1);
    const replaces = index > this.base + this.entries.length || (known !== undefined && known !== mark.term);
    if (replaces) {
      this.entries.truncate(0);
      this.base = index;
      this.replacedBy = index > this.fromMark ? index : undefined;
    }
    if (index > this.fromMark || index < this.base) return undefined;
    this.entries.dropFirst(index - this.base);
    this.base = index;
    this.mark = mark;
    return undefined;
  }
}

/**
 * The hard state that goes with what else was found. A torn write may have taken the hard state that belonged to
 * its first records. Raising it is safe: no vote in the higher term was acknowledged, as its record would be
 * there, and a mark is made of committed entries only.
 */
function settled(state: HardState, mark: LogMark, lastTerm: Term | undefined): HardState {
  const term = Math.max(state.term, mark.term, lastTerm ?? 0);
  return { term, vote: term === state.term ? state.vote : 0n, commit: Math.max(state.commit, mark.index) };
}
