/**
 * The keys of all durable blocks in order, and the cache slot of each: 24 bytes a block of up to 64 KiB, in
 * typed arrays outside the collector's reach. Blocks come at the end; a flush or a compaction replaces a run of them.
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import type { BlockKey } from "./keys.js";

/** The slot of a block that is not in the cache. */
export const noSlot = -1;

export class BlockIndex {
  private mains = new Float64Array(64);
  private subs = new Uint32Array(64);
  private sizes = new Uint32Array(64);
  private checksums = new Uint32Array(64);
  private slots = new Int32Array(64);
  private count = 0;
  private bytes = 0;

  /** Blocks. */
  get length(): number {
    return this.count;
  }

  /** Bytes of all blocks. */
  get sizeBytes(): number {
    return this.bytes;
  }

  mainAt(position: number): Revision {
    return this.mains[position]!;
  }

  sizeAt(position: number): number {
    return this.sizes[position]!;
  }

  slotAt(position: number): number {
    return this.slots[position]!;
  }

  setSlot(position: number, slot: number): void {
    this.slots[position] = slot;
  }

  keyAt(position: number): BlockKey {
    assert(position >= 0 && position < this.count, "a block position is in the index");
    return {
      main: this.mains[position]!,
      sub: this.subs[position]!,
      sizeBytes: this.sizes[position]!,
      checksum: this.checksums[position]!,
    };
  }

  /** Position of the last block that starts at or below a revision, or -1. */
  floor(main: Revision, sub: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.mains[middle]! - main || this.subs[middle]! - sub;
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  /** Puts `keys` in the place of the blocks from `from` up to, without, `to`; their slots must be free already. */
  replace(from: number, to: number, keys: readonly BlockKey[]): void {
    assert(from <= to && to <= this.count, "the replaced blocks are in the index");
    for (let position = from; position < to; position++) this.bytes -= this.sizes[position]!;
    const count = this.count + keys.length - (to - from);
    this.reserve(count);
    for (const column of [this.mains, this.subs, this.sizes, this.checksums, this.slots]) {
      column.copyWithin(from + keys.length, to, this.count);
    }
    this.count = count;
    keys.forEach((key, at) => {
      const position = from + at;
      this.mains[position] = key.main;
      this.subs[position] = key.sub;
      this.sizes[position] = key.sizeBytes;
      this.checksums[position] = key.checksum;
      this.slots[position] = noSlot;
      this.bytes += key.sizeBytes;
    });
    this.assertOrder(Math.max(from, 1), Math.min(from + keys.length, count - 1));
  }

  private assertOrder(from: number, to: number): void {
    for (let position = from; position <= to; position++) {
      const order =
        this.mains[position]! - this.mains[position - 1]! || this.subs[position]! - this.subs[position - 1]!;
      assert(order > 0, "blocks are in ascending order");
    }
  }

  private reserve(count: number): void {
    if (count <= this.mains.length) return;
    const capacity = Math.max(count, this.mains.length * 2);
    const grow = <Column extends Float64Array | Uint32Array | Int32Array>(
      from: Column,
      to: Column,
    ): Column => {
      to.set(from);
      return to;
    };
    this.mains = grow(this.mains, new Float64Array(capacity));
    this.subs = grow(this.subs, new Uint32Array(capacity));
    this.sizes = grow(this.sizes, new Uint32Array(capacity));
    this.checksums = grow(this.checksums, new Uint32Array(capacity));
    this.slots = grow(this.slots, new Int32Array(capacity));
  }
}
