/**
 * The open streams of a connection by their ids: a hash table with linear probing (Knuth, The Art of Computer
 * Programming 6.4, algorithms L and R). A stream's id is odd or even throughout and rises by two, so half the id
 * is a perfect hash while streams are short-lived; one that lives for days just stands in the way of a few.
 *
 * Example, size 8: streams 1, 3 and 5 are at places 0, 1 and 2. Stream 17 belongs at 0 as well, and is put at 3.
 * When 1 leaves, 17 moves to place 0, so that a search need never pass an empty place.
 *
 * Why not a Map: one that lives long and changes all the time leaves outgrown tables in the old generation, which
 * hold on to the streams that were in them until a full collection.
 */
import type { Stream } from "./stream.js";

/** A power of two, as places are found by masks. */
const placesMin = 16;
/** A table that has grown larger is given up when it is empty. */
const placesKeptMax = 1024;

export class StreamTable {
  private places: (Stream | undefined)[] = new Array(placesMin).fill(undefined);
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(id: number): Stream | undefined {
    return this.places[this.placeOf(id)];
  }

  /** Adds a stream whose id is not there. */
  add(stream: Stream): void {
    if (this.count * 2 >= this.places.length) this.resize(this.places.length * 2);
    this.places[this.placeOf(stream.id)] = stream;
    this.count++;
  }

  delete(id: number): void {
    let empty = this.placeOf(id);
    if (this.places[empty] === undefined) return;
    const { places } = this;
    const mask = places.length - 1;
    this.count--;
    for (let at = (empty + 1) & mask; ; at = (at + 1) & mask) {
      const stream = places[at];
      if (stream === undefined) break;
      // It may fill the empty place unless its own lies behind that.
      const home = homeOf(stream.id, mask);
      if (((at - home) & mask) < ((at - empty) & mask)) continue;
      places[empty] = stream;
      empty = at;
    }
    places[empty] = undefined;
    if (this.count === 0 && places.length > placesKeptMax) this.resize(placesMin);
  }

  /** All streams, oldest first: a list of its own. */
  list(): Stream[] {
    return this.places.filter((stream) => stream !== undefined).sort((a, b) => a.id - b.id);
  }

  /** Where the stream is, or the empty place where it would be. */
  private placeOf(id: number): number {
    const { places } = this;
    const mask = places.length - 1;
    for (let at = homeOf(id, mask); ; at = (at + 1) & mask) {
      const stream = places[at];
      if (stream === undefined || stream.id === id) return at;
    }
  }

  private resize(size: number): void {
    const streams = this.places;
    this.places = new Array(size).fill(undefined);
    for (const stream of streams) {
      if (stream !== undefined) this.places[this.placeOf(stream.id)] = stream;
    }
  }
}

function homeOf(id: number, mask: number): number {
  return (id >>> 1) & mask;
}
