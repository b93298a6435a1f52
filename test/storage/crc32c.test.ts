/** The checksum under everything on disk. If it differs, no data directory of before can be read. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.js";

/** Bit by bit, as RFC 3720 has it. */
function plainCrc32c(bytes: Uint8Array, previous: number): number {
  let crc = ~previous;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("the examples of RFC 3720, appendix B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at))).toBe(0x46dd794e);
});

test("any part of any bytes, at any place in memory, continued from any checksum", () => {
  const part = fc.record({
    bytes: fc.uint8Array({ minLength: 4_096, maxLength: 4_200 }),
    shift: fc.nat(16),
    start: fc.nat(1_100),
    length: fc.oneof(fc.nat(40), fc.integer({ min: 1_000, max: 1_060 }), fc.nat(2_900)),
    previous: fc.nat(2 ** 32 - 1),
  });
  fc.assert(
    fc.property(part, ({ bytes, shift, start, length, previous }) => {
      const shifted = new Uint8Array(new ArrayBuffer(bytes.length + shift), shift);
      shifted.set(bytes);
      const end = start + length;
      expect(crc32c(shifted, previous, start, end)).toBe(plainCrc32c(bytes.subarray(start, end), previous));
    }),
  );
});
