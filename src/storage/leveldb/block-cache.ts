/**
 * Blocks in memory within a byte budget, dropped by second chance (the CLOCK algorithm, Corbató 1968): a hit
 * sets a flag and moves nothing, so that reading a cached value costs no bookkeeping.
 */
import { assert } from "../../base/assert.js";
import type { Block } from "./block-codec.js";
import { noSlot } from "./block-index.js";

export class BlockCache {
  private readonly blocks: (Block | undefined)[] = [];
  private readonly touched: boolean[] = [];
  private readonly free: number[] = [];
  private hand = 0;
  private bytes = 0;

  constructor(private readonly options: { readonly bytesMax: number }) {}

  get sizeBytes(): number {
    return this.bytes;
  }

  /** The block in a slot that `add` gave out. */
  get(slot: number): Block {
    this.touched[slot] = true;
    return this.blocks[slot]!;
  }

  /**
   * Takes a block in and says its slot, after `evicted` was told of those that had to go; `noSlot` for one that
   * alone exceeds the budget.
   */
  add(block: Block, evicted: (block: Block) => void): number {
    if (block.sizeBytes > this.options.bytesMax) return noSlot;
    while (this.bytes + block.sizeBytes > this.options.bytesMax) this.evictNext(evicted);
    const slot = this.free.pop() ?? this.blocks.length;
    this.blocks[slot] = block;
    this.touched[slot] = false;
    this.bytes += block.sizeBytes;
    return slot;
  }

  remove(slot: number): void {
    const block = this.blocks[slot];
    assert(block !== undefined, "a cache slot is given back once");
    this.bytes -= block.sizeBytes;
    this.blocks[slot] = undefined;
    this.free.push(slot);
  }

  /** Drops the blocks that nobody asked for since the last call. */
  dropUnread(evicted: (block: Block) => void): void {
    for (let slot = 0; slot < this.blocks.length; slot++) {
      const block = this.blocks[slot];
      if (block === undefined) continue;
      if (!this.touched[slot]) {
        this.remove(slot);
        evicted(block);
      }
      this.touched[slot] = false;
    }
  }

  /** Goes round at most twice: the first round takes the flags away. */
  private evictNext(evicted: (block: Block) => void): void {
    for (;;) {
      this.hand = this.hand + 1 < this.blocks.length ? this.hand + 1 : 0;
      const block = this.blocks[this.hand];
      if (block === undefined) continue;
      if (!this.touched[this.hand]) {
        this.remove(this.hand);
        evicted(block);
        return;
      }
      this.touched[this.hand] = false;
    }
  }
}
