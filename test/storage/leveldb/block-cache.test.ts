/** A cache that keeps what nobody reads costs an idle member memory; one that drops what is read costs it time. */
import { describe, expect, it } from "vitest";
import { BlockCache } from "../../../src/storage/leveldb/block-cache.js";
import { type Block, encodeBlock } from "../../../src/storage/leveldb/block-codec.js";
import { columnsOf } from "../../../src/storage/leveldb/revision-columns.js";

function blockAt(main: number): Block {
  return encodeBlock(columnsOf([{ main, sub: 0, tombstone: false, keyValue: new Uint8Array(100) }]), 0, 1);
}

describe("blocks that nobody reads", () => {
  it("are dropped, those that were read since the last time stay", () => {
    const cache = new BlockCache({ bytesMax: 100_000 });
    const dropped: number[] = [];
    const evicted = (block: Block): void => {
      dropped.push(block.main);
    };
    const slots = [1, 2, 3].map((main) => cache.add(blockAt(main), evicted));
    cache.get(slots[1]!);
    cache.dropUnread(evicted);
    expect(dropped).toEqual([1, 3]);
    expect(cache.sizeBytes).toBe(blockAt(2).sizeBytes);
    cache.dropUnread(evicted);
    expect(dropped).toEqual([1, 3, 2]);
    expect(cache.sizeBytes).toBe(0);
    expect(cache.get(cache.add(blockAt(4), evicted)).main).toBe(4);
  });
});
