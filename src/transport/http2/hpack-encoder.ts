/**
 * Encodes header blocks (RFC 7541). Blocks made here use the static table and literals that are not indexed:
 * they have no state, so they can be made once and sent on any connection. The two fields of every good
 * gRPC answer alone are put into the dynamic table (response-headers.ts).
 */
import { staticNameIndex, staticTable } from "./hpack-table.js";

export type HeaderPair = readonly [name: string, value: string];

/** A header block. Names are lower case; both are latin1 strings without line breaks. */
export function encodeHeaders(pairs: readonly HeaderPair[]): Buffer {
  const out: number[] = [];
  for (const [name, value] of pairs) appendField(out, name, value);
  return Buffer.from(out);
}

/** A literal that the peer adds to its dynamic table (section 6.2.1). */
export function encodeIndexedLiteral(name: string, value: string): Buffer {
  const out: number[] = [];
  appendLiteral(out, 0x40, 6, name, value);
  return Buffer.from(out);
}

/** A dynamic table size update (section 6.3). */
export function encodeTableSize(bytes: number): Buffer {
  const out: number[] = [];
  appendInteger(out, 0x20, 5, bytes);
  return Buffer.from(out);
}

function appendField(out: number[], name: string, value: string): void {
  let index = staticNameIndex.get(name);
  if (index !== undefined) {
    for (; staticTable[index]?.name === name; index++) {
      if (staticTable[index]!.value === value) {
        appendInteger(out, 0x80, 7, index);
        return;
      }
    }
  }
  // Tokens are never to be indexed, by no intermediary either (section 7.1.3).
  appendLiteral(out, name === "authorization" || name === "token" ? 0x10 : 0x00, 4, name, value);
}

function appendLiteral(
  out: number[],
  pattern: number,
  prefixBits: number,
  name: string,
  value: string,
): void {
  const index = staticNameIndex.get(name);
  appendInteger(out, pattern, prefixBits, index ?? 0);
  if (index === undefined) appendText(out, name);
  appendText(out, value);
}

function appendText(out: number[], text: string): void {
  appendInteger(out, 0x00, 7, text.length);
  for (let i = 0; i < text.length; i++) out.push(text.charCodeAt(i) & 0xff);
}

/** Section 5.1. */
function appendInteger(out: number[], pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
  out.push(rest);
}
