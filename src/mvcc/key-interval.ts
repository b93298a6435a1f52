/** Spans of keys as latin1 strings, which `<` compares in byte order. */
import { bytesToLatin1 } from "../base/bytes.js";
import type { KeySpan } from "./requests.js";

/** Keys from `start` (included) to `end` (excluded; undefined: no end). */
export interface KeyInterval {
  readonly start: string;
  readonly end: string | undefined;
}

/** Every key there is. */
export const allKeys: KeyInterval = { start: "", end: undefined };

/** True where a request names one key. */
export function isSingleKey(span: KeySpan): boolean {
  return span.rangeEnd.length === 0;
}

/** The keys that a request names (see KeySpan). */
export function intervalOf(span: KeySpan): KeyInterval {
  const start = bytesToLatin1(span.key);
  if (span.rangeEnd.length === 0) return { start, end: keyAfter(start) };
  if (span.rangeEnd.length === 1 && span.rangeEnd[0] === 0) return { start, end: undefined };
  return { start, end: bytesToLatin1(span.rangeEnd) };
}

/** The least key greater than `key`. */
export function keyAfter(key: string): string {
  return `${key}\0`;
}
