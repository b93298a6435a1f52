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

/** Numbers of a place: term, number of the segment, start and end of the entry in it. */
const placeSize = 4;
const firstRoomEntries = 1024;

export class EntryList {
  /** Place by place, with room for more. */
  private places = new Float64Array(firstRoomEntries * placeSize);
  private readonly segmentBytes: Uint8Array[] = [];
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** The term at a position; undefined outside. */
  termAt(position: number): Term | undefined {
    return position < 0 || position >= this.count ? undefined : this.places[position * placeSize];
  }

  /** Entries from here on lie in `bytes`. */
  enterSegment(bytes: Uint8Array): void {
    this.segmentBytes.push(bytes);
  }

  /** Adds the entry that stands from `start` to `end` of the segment. */
  push(term: Term, start: number, end: number): void {
    const at = this.count * placeSize;
    if (at === this.places.length) this.makeRoom();
    const { places } = this;
    places[at] = term;
    places[at + 1] = this.segmentBytes.length - 1;
    places[at + 2] = start;
    places[at + 3] = end;
    this.count++;
  }

  /** Keeps the `count` first. */
  truncate(count: number): void {
    this.count = Math.min(this.count, count);
  }

  dropFirst(count: number): void {
    this.places.copyWithin(0, count * placeSize, this.count * placeSize);
    this.count -= count;
  }

  /** All of them with memory of their own: a few must not keep a whole segment in memory. */
  decode(): Entry[] {
    let memory = emptyBytes;
    let at = 0;
    return Array.from({ length: this.count }, (_, position) => {
      const { term, index, type, data } = this.read(position);
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

  private read(position: number): Entry {
    const { places } = this;
    const at = position * placeSize;
    const bytes = this.segmentBytes[places[at + 1]!]!;
    return decodeEntry(bytes.subarray(places[at + 2]!, places[at + 3]!));
  }

  private makeRoom(): void {
    const before = this.places;
    this.places = new Float64Array(before.length * 2);
    this.places.set(before);
  }
}
