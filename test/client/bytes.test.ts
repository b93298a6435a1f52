import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBytes, concatBytes } from "../../src/base/bytes.js";
import { prefixEnd, toKeyRange, zeroByte } from "../../src/client/bytes.js";

const bytes = fc.uint8Array({ maxLength: 4 });

test("a prefix range holds exactly the keys that start with the prefix", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 3 }),
      bytes,
      fc.boolean(),
      (prefix, tail, isBelow) => {
        const key = isBelow ? concatBytes([prefix, tail]) : tail;
        const end = prefixEnd(prefix);
        const isOpen = compareBytes(end, zeroByte) === 0;
        const inRange = compareBytes(key, prefix) >= 0 && (isOpen || compareBytes(key, end) < 0);
        expect(inRange).toBe(compareBytes(key.subarray(0, prefix.length), prefix) === 0);
      },
    ),
  );
});

test("prefixEnd carries over bytes at 0xff and leaves its input alone", () => {
  const prefix = Uint8Array.of(0x61, 0xff, 0xff);
  expect([...prefixEnd(prefix)]).toEqual([0x62]);
  expect([...prefix]).toEqual([0x61, 0xff, 0xff]);
  expect([...prefixEnd(Uint8Array.of(0xff))]).toEqual([0]);
});

test("the empty key with prefix or fromKey means every key", () => {
  for (const options of [{ prefix: true }, { fromKey: true }]) {
    const { key, rangeEnd } = toKeyRange("", options);
    expect([[...key], [...rangeEnd]]).toEqual([[0], [0]]);
  }
});

test("a key alone has no range end, and text is sent as UTF-8", () => {
  const { key, rangeEnd } = toKeyRange("é", {});
  expect([[...key], [...rangeEnd]]).toEqual([[0xc3, 0xa9], []]);
});
