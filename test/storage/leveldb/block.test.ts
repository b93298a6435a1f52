import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/base/limits.js";
import type { RevisionRecord } from "../../../src/mvcc/contract.js";
import { BlockCache } from "../../../src/storage/leveldb/block-cache.js";
import { type Block, decodeBlock, encodeBlock } from "../../../src/storage/leveldb/block-codec.js";
import { noSlot } from "../../../src/storage/leveldb/block-index.js";
import { packBlocks, trailingBlocksToJoin } from "../../../src/storage/leveldb/block-packer.js";
import { decodeBlockKey, encodeBlockKey } from "../../../src/storage/leveldb/keys.js";
import { columnsOf, subMax } from "../../../src/storage/leveldb/revision-columns.js";

const record = fc.record({
  main: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
  sub: fc.oneof(fc.nat(5), fc.constant(subMax)),
  tombstone: fc.boolean(),
  keyValue: fc.uint8Array({ maxLength: 300 }),
});
const order = (a: RevisionRecord, b: RevisionRecord) => a.main - b.main || a.sub - b.sub;
const ascending = fc
  .uniqueArray(record, { selector: ({ main, sub }) => `${main}.${sub}`, minLength: 1, maxLength: 60 })
  .map((records) => records.sort(order));

describe("blocks", () => {
  it("give back any records that were packed into them, by pass and by search", () => {
    const property = fc.property(ascending, (records) => {
      const blocks = [...packBlocks(columnsOf(records))];
      const decoded = blocks.map((block) => decodeBlock(Buffer.from(block.bytes), block) as Block);
      expect(decoded.flatMap((block) => block.records())).toEqual(records);
      for (const { main, sub, keyValue } of records) {
        const holding = decoded.filter((block) => block.find(main, sub) >= 0);
        expect(holding.length).toBe(1);
        expect(holding[0]!.valueAt(holding[0]!.find(main, sub))).toEqual(keyValue);
      }
      const { main, sub } = records[0]!;
      expect(decoded[0]!.find(main, sub + 6)).toBe(
        records.findIndex((r) => r.main === main && r.sub === sub + 6),
      );
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("have the layout that the format says", () => {
    const bytes = (length: number) => Buffer.alloc(length, length);
    const block = encodeBlock(
      columnsOf([
        { main: 7, sub: 0, tombstone: false, keyValue: bytes(5) },
        { main: 7, sub: 1, tombstone: false, keyValue: bytes(3) },
        { main: 9, sub: 0, tombstone: true, keyValue: bytes(2) },
      ]),
      0,
      3,
    );
    const hex = Buffer.from(block.bytes).toString("hex");
    expect(hex.slice(8)).toBe(
      `01000000${"03000000"}${"00000000"}${"0700000000000000"}` +
        `${"000000000000000005000000"}${"000000000100000008000000"}${"02000000000000800a000000"}` +
        `${"05".repeat(5)}${"03".repeat(3)}${"02".repeat(2)}`,
    );
  });

  it("hold at most blockBytesMax unless a single record is larger", () => {
    const records = Array.from({ length: 40 }, (_, at) => ({
      main: at + 1,
      sub: 0,
      tombstone: false,
      keyValue: Buffer.alloc(at % 10 === 9 ? 100_000 : 7_000),
    }));
    for (const block of packBlocks(columnsOf(records))) {
      expect(block.sizeBytes <= limits.blockBytesMax || block.count === 1).toBe(true);
    }
  });
});

describe("block keys", () => {
  it("sort as revisions do and give back what they were made of", () => {
    const key = fc.record({
      main: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      sub: fc.nat({ max: subMax }),
      sizeBytes: fc.nat({ max: 2 ** 32 - 1 }),
      checksum: fc.nat({ max: 2 ** 32 - 1 }),
    });
    const property = fc.property(key, key, (a, b) => {
      expect(decodeBlockKey(encodeBlockKey(a))).toEqual(a);
      const revisions = Math.sign(a.main - b.main || a.sub - b.sub);
      if (revisions !== 0)
        expect(Math.sign(Buffer.compare(encodeBlockKey(a), encodeBlockKey(b)))).toBe(revisions);
    });
    fc.assert(property);
  });
});

describe("the last blocks of the store", () => {
  it("join a flush as the digits of a binary counter", () => {
    const states: number[][] = [];
    const blocks: number[] = [];
    for (let flush = 0; flush < 7; flush++) {
      const joined = trailingBlocksToJoin(1_024, blocks.length, (fromEnd) => blocks.at(-1 - fromEnd)!);
      const size = blocks.splice(blocks.length - joined).reduce((sum, each) => sum + each, 1_024);
      blocks.push(size);
      states.push(blocks.map((each) => each / 1_024));
    }
    expect(states).toEqual([[1], [2], [2, 1], [4], [4, 1], [4, 2], [4, 2, 1]]);
  });

  it("stay when they are at least half full", () => {
    expect(trailingBlocksToJoin(1_000_000, 3, () => limits.blockBytesMax / 2)).toBe(0);
  });
});

describe("the block cache", () => {
  it("stays within its budget and keeps what is read again and again", () => {
    const cache = new BlockCache({ bytesMax: 10_000 });
    const blockOf = (main: number) =>
      encodeBlock(columnsOf([{ main, sub: 0, tombstone: false, keyValue: new Uint8Array(964) }]), 0, 1);
    const slots = new Map<number, number>();
    for (let main = 1; main <= 100; main++) {
      const slot = cache.add(blockOf(main), (evicted) => slots.delete(evicted.main));
      slots.set(main, slot);
      expect(cache.get(slots.get(1)!).main).toBe(1);
      expect(cache.sizeBytes).toBeLessThanOrEqual(10_000);
    }
    expect(slots.size).toBe(10);
    expect(
      cache.add(
        encodeBlock(
          columnsOf([{ main: 1, sub: 0, tombstone: false, keyValue: new Uint8Array(10_000) }]),
          0,
          1,
        ),
        () => {},
      ),
    ).toBe(noSlot);
  });
});
