/**
 * The append messages that were sent to a follower and not acknowledged, as a ring of (last index, bytes). It
 * bounds their number strictly and their bytes softly: one message may overshoot.
 *
 * Example, at most 3 messages: add 5, add 9, add 12 → full. An acknowledgement of 9 frees the first two.
 */
import { assert } from "../../base/assert.js";
import type { Index } from "../../base/brand.js";

export interface InflightLimits {
  readonly messagesMax: number;
  /** Infinity for no bound. */
  readonly bytesMax: number;
}

export class Inflights {
  private indexes: Index[] = [];
  private sizes: number[] = [];
  private start = 0;
  private used = 0;
  private usedBytes = 0;

  constructor(private readonly limits: InflightLimits) {}

  get count(): number {
    return this.used;
  }

  get bytes(): number {
    return this.usedBytes;
  }

  get full(): boolean {
    return this.used >= this.limits.messagesMax || this.usedBytes >= this.limits.bytesMax;
  }

  /** A message up to `index` with `bytes` of payload was sent. Indexes come in ascending order. */
  add(index: Index, bytes: number): void {
    assert(!this.full, "nothing is sent into a full window");
    if (this.used === this.indexes.length) this.grow();
    const at = (this.start + this.used) % this.indexes.length;
    this.indexes[at] = index;
    this.sizes[at] = bytes;
    this.used++;
    this.usedBytes += bytes;
  }

  /** Everything up to `index` arrived. */
  freeUpTo(index: Index): void {
    while (this.used > 0 && this.indexes[this.start]! <= index) {
      this.usedBytes -= this.sizes[this.start]!;
      this.start = (this.start + 1) % this.indexes.length;
      this.used--;
    }
  }

  reset(): void {
    this.start = 0;
    this.used = 0;
    this.usedBytes = 0;
  }

  private grow(): void {
    const capacity = Math.max(4, this.indexes.length * 2);
    const indexes = new Array<Index>(capacity).fill(0);
    const sizes = new Array<number>(capacity).fill(0);
    for (let position = 0; position < this.used; position++) {
      const at = (this.start + position) % this.indexes.length;
      indexes[position] = this.indexes[at]!;
      sizes[position] = this.sizes[at]!;
    }
    this.indexes = indexes;
    this.sizes = sizes;
    this.start = 0;
  }
}
