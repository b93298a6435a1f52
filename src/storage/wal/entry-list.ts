/**
 * The entries that a replay has come across, as places in the segments: most of them a mark or the store's state
 * makes needless before the end, and then none was ever made an object.
 */
import type { Term } from "../../base/brand.js";
import { allocateBytes, emptyBytes } from "../../base/bytes.js";
import { decodeEntry } from "../../raft/codec.js";
import type { Entry } from "../../raft/types.js";

/** Entries share pieces of memory of this size, which is freed as the log is cut. */
const repackBytes = 256 * 1024;

export class EntryList {
  /** Four lists of the same length. */
  private terms: Term[] = [];
  private segments: number[] = [];
  private starts: number[] = [];
  private ends: number[] = [];
  private readonly segmentBytes: Uint8Array[] = [];

  get length(): number {
    return this.terms.length;
  }

  /** The term at a position; undefined outside. */
  termAt(position: number): Term | undefined {
    return this.terms[position];
  }

  /** Entries from here on lie in `bytes`. */
  enterSegment(bytes: Uint8Array): void {
    this.segmentBytes.push(bytes);
  }

  /** Adds the entry that stands from `start` to `end` of the segment. */
  push(term: Term, start: number, end: number): void {
    this.terms.push(term);
    this.segments.push(this.segmentBytes.length - 1);
    this.starts.push(start);
    this.ends.push(end);
  }

  /** Keeps the `count` first. */
  truncate(count: number): void {
    if (count === this.length) return;
    for (const list of [this.terms, this.segments, this.starts, this.ends]) list.length = count;
  }

  dropFirst(count: number): void {
    if (count === 0) return;
    this.terms = this.terms.slice(count);
    this.segments = this.segments.slice(count);
    this.starts = this.starts.slice(count);
    this.ends = this.ends.slice(count);
  }

  /** All of them with memory of their own: a few must not keep a whole segment in memory. */
  decode(): Entry[] {
    let memory = emptyBytes;
    let at = 0;
    return this.terms.map((_, position) => {
      const bytes = this.segmentBytes[this.segments[position]!]!;
      const { term, index, type, data } = decodeEntry(
        bytes.subarray(this.starts[position]!, this.ends[position]!),
      );
      if (data.length === 0) return { term, index, type, data: emptyBytes };
      if (at + data.length > memory.length) {
        memory = allocateBytes(Math.max(data.length, repackBytes));
        at = 0;
      }
      memory.set(data, at);
      at += data.length;
      return { term, index, type, data: memory.subarray(at - data.length, at) };
    });
  }
}
