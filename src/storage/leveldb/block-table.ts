/** The durable blocks as reads see them: index, cache, and LevelDB behind. */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import type { RevisionRecord } from "../../mvcc/contract.js";
import type { ReadBatch } from "../../mvcc/read-batch.js";
import { BlockCache } from "./block-cache.js";
import { type Block, decodeBlock } from "./block-codec.js";
import { BlockIndex, noSlot } from "./block-index.js";
import { damagedStore } from "./damage.js";
import { type BlockKey, encodeBlockKey } from "./keys.js";
import type { OrderedStore } from "./ordered-store.js";

/** Blocks from `from` up to, without, `to` (positions in the index) give way to `blocks`. */
export interface BlockSplice {
  readonly from: number;
  readonly to: number;
  /** The blocks that go, whole, in order. */
  readonly retired: readonly Block[];
  readonly blocks: readonly Block[];
  /** The new blocks that are kept in memory: those that are likely to be asked for soon. */
  readonly keepInMemory: (block: Block) => boolean;
}

export class BlockTable {
  readonly index = new BlockIndex();
  private readonly cache: BlockCache;
  /**
   * Blocks that the batch under way deletes. The index still names them while LevelDB may have dropped them
   * already, so reads find them here.
   */
  private retiring: readonly Block[] = [];
  private bytesLoaded = 0;

  constructor(
    options: { readonly cacheBytesMax: number },
    private readonly ordered: OrderedStore,
  ) {
    this.cache = new BlockCache({ bytesMax: options.cacheBytesMax });
  }

  /** Bytes of all blocks that were taken from LevelDB for a read. */
  get loadedBytes(): number {
    return this.bytesLoaded;
  }

  /** The value of a revision, or undefined when no block holds it. */
  read(main: Revision, sub: number): Uint8Array | undefined {
    const position = this.index.floor(main, sub);
    if (position < 0) return undefined;
    const block = this.blockAt(position);
    const record = block.find(main, sub);
    return record < 0 ? undefined : block.valueAt(record);
  }

  /** Places the next revision of `batch`; false when no block holds it. */
  locate(batch: ReadBatch, main: Revision, sub: number): boolean {
    const position = this.index.floor(main, sub);
    if (position < 0) return false;
    const block = this.blockAt(position);
    const record = block.find(main, sub);
    if (record < 0) return false;
    batch.place(block.bytes, block.valueStart(record), block.valueStart(record + 1));
    return true;
  }

  /** Visits the revisions from `fromMain` on until `visit` answers false; then false, else true. */
  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): boolean {
    const { index } = this;
    for (let position = Math.max(index.floor(fromMain, 0), 0); position < index.length; position++) {
      const block = this.blockAt(position);
      for (let at = block.firstFrom(fromMain); at < block.count; at++) {
        if (!visit(block.recordAt(at))) return false;
      }
    }
    return true;
  }

  /** The block at a position of the index: from the cache, else from LevelDB, verified, and then cached. */
  blockAt(position: number): Block {
    const slot = this.index.slotAt(position);
    if (slot !== noSlot) return this.cache.get(slot);
    const key = this.index.keyAt(position);
    const retiring = this.retiring.find((block) => block.main === key.main && block.sub === key.sub);
    if (retiring !== undefined) return retiring;
    const bytes = this.ordered.getSync(encodeBlockKey(key));
    if (bytes === undefined) throw damagedStore(this.ordered.location, `${blockName(key)} is missing`);
    this.bytesLoaded += bytes.length;
    const block = this.verified(bytes, key);
    this.index.setSlot(position, this.cacheBlock(block));
    return block;
  }

  /** `bytes` as the block that `key` names; DamageError when they are not. */
  verified(bytes: Uint8Array, key: BlockKey): Block {
    const block = decodeBlock(bytes, key);
    if (typeof block === "string") throw damagedStore(this.ordered.location, `${blockName(key)} ${block}`);
    return block;
  }

  /** True when any of the blocks from `from` up to, without, `to` is in memory. */
  anyCached(from: number, to: number): boolean {
    for (let position = from; position < to; position++) {
      if (this.index.slotAt(position) !== noSlot) return true;
    }
    return false;
  }

  /** Before the batch that makes the splices durable. */
  beginSplices(splices: readonly BlockSplice[]): void {
    assert(this.retiring.length === 0, "one batch is under way at a time");
    this.retiring = splices.flatMap((splice) => splice.retired);
  }

  /** After it. The splices are in ascending order and do not overlap. */
  finishSplices(splices: readonly BlockSplice[]): void {
    for (const splice of [...splices].reverse()) {
      for (let position = splice.from; position < splice.to; position++) {
        const slot = this.index.slotAt(position);
        if (slot !== noSlot) this.cache.remove(slot);
      }
      this.index.replace(splice.from, splice.to, splice.blocks);
      splice.blocks.forEach((block, at) => {
        if (splice.keepInMemory(block)) this.index.setSlot(splice.from + at, this.cacheBlock(block));
      });
    }
    this.retiring = [];
  }

  /** Gives back the memory of blocks that nobody read since the last call. */
  dropUnread(): void {
    this.cache.dropUnread(this.onEvicted);
  }

  private cacheBlock(block: Block): number {
    return this.cache.add(block, this.onEvicted);
  }

  private readonly onEvicted = (block: Block): void => {
    this.index.setSlot(this.index.floor(block.main, block.sub), noSlot);
  };
}

export function blockName(key: BlockKey): string {
  return `the block at revision ${key.main}.${key.sub}`;
}
