/**
 * The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B), decoding only: what we send is not
 * compressed, which the RFC leaves to the sender.
 *
 * The code is canonical: codes rise with their length, and with the symbol within a length. So the table of
 * lengths alone gives it.
 */

import { latin1 } from "./latin1.js";

/** Bits of the code of each symbol 0–255; the last is EOS. */
// biome-ignore format: a table
const codeBits = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
  28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6,
  6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8,
  13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15,
  11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23,
  23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26,
  26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21,
  22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27,
  27, 26, 30,
];

const endOfString = 256;

/**
 * Tables of 256 entries, looked up with eight bits at a time; a code longer than that goes on in another table.
 * An entry is the offset of that table (positive), or −(symbol × 16 + bits used) where the code ends.
 */
const decodeTables = buildDecodeTables();

/** Decodes `bytes[start, end)` into a latin1 string; undefined when it is no valid Huffman string. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  // The shortest code has five bits.
  const out = scratchFor(Math.floor(((end - start) * 8) / 5));
  let length = 0;
  let table = 0;
  let window = 0;
  let bits = 0;
  for (let at = start; at < end; at++) {
    window = ((window << 8) | bytes[at]!) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const entry = decodeTables[table + ((window >>> (bits - 8)) & 0xff)]!;
      if (entry >= 0) {
        table = entry;
        bits -= 8;
        continue;
      }
      const symbol = -entry >> 4;
      if (symbol === endOfString) return undefined;
      out[length++] = symbol;
      bits -= -entry & 15;
      table = 0;
    }
  }
  while (bits > 0) {
    const entry = decodeTables[table + ((window << (8 - bits)) & 0xff)]!;
    const used = -entry & 15;
    if (entry >= 0 || used > bits) break;
    out[length++] = -entry >> 4;
    bits -= used;
    table = 0;
  }
  // Section 5.2: padding is the beginning of EOS (ones), and shorter than a byte.
  const ones = (1 << bits) - 1;
  if (table !== 0 || (window & ones) !== ones) return undefined;
  return latin1(out, 0, length);
}

let scratch = Buffer.allocUnsafeSlow(1024);

function scratchFor(bytes: number): Buffer {
  if (bytes > scratch.length) scratch = Buffer.allocUnsafeSlow(bytes * 2);
  return scratch;
}

function buildDecodeTables(): Int32Array {
  const symbols = codeBits.map((_, symbol) => symbol);
  symbols.sort((a, b) => codeBits[a]! - codeBits[b]! || a - b);
  const entries: number[] = new Array<number>(256).fill(0);
  let code = 0;
  let previousBits = 0;
  for (const symbol of symbols) {
    const bits = codeBits[symbol]!;
    code <<= bits - previousBits;
    previousBits = bits;
    placeCode(entries, symbol, code, bits);
    code++;
  }
  return Int32Array.from(entries);
}

function placeCode(entries: number[], symbol: number, code: number, bits: number): void {
  let table = 0;
  let rest = bits;
  while (rest > 8) {
    const slot = table + ((code >>> (rest - 8)) & 0xff);
    if (entries[slot] === 0) {
      entries[slot] = entries.length;
      for (let i = 0; i < 256; i++) entries.push(0);
    }
    table = entries[slot]!;
    rest -= 8;
  }
  const first = table + ((code << (8 - rest)) & 0xff);
  for (let i = 0; i < 1 << (8 - rest); i++) entries[first + i] = -(symbol * 16 + rest);
}
