/** Keys, values and revisions as callers write them, and as the wire has them. */
import { concatBytes, utf8Bytes } from "../base/bytes.js";

/** Text is sent as UTF-8. */
export type BytesLike = string | Uint8Array;
/** A revision, count or id; a number must be a safe integer. */
export type IntegerLike = number | bigint;

export function toBytes(value: BytesLike): Uint8Array {
  return typeof value === "string" ? utf8Bytes(value) : value;
}

/** The one zero byte: as range end "everything from the key on", as key the smallest one. */
export const zeroByte: Uint8Array = new Uint8Array(1);

/**
 * The smallest key above every key that starts with `prefix`: its last byte below 0xff plus one, what follows
 * cut off. "a" → "b", "a\xff" → "b", "\xff" → no such key, which is written as `\0` (open end).
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  let last = prefix.length - 1;
  while (last >= 0 && prefix[last] === 0xff) last--;
  if (last < 0) return zeroByte;
  const end = concatBytes([prefix.subarray(0, last + 1)]);
  end[last] = end[last]! + 1;
  return end;
}

/** Which keys a call is about, beside its key. At most one of the three. */
export interface RangeOptions {
  /** All keys from the key up to, not including, this one. */
  readonly rangeEnd?: BytesLike | undefined;
  /** All keys that start with the key; the empty key means all. */
  readonly prefix?: boolean | undefined;
  /** All keys at or above the key; the empty key means all. */
  readonly fromKey?: boolean | undefined;
}

export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const noEnd = new Uint8Array(0);

export function toKeyRange(keyLike: BytesLike, options: RangeOptions): KeyRange {
  const key = toBytes(keyLike);
  if (options.prefix === true) {
    return key.length === 0 ? { key: zeroByte, rangeEnd: zeroByte } : { key, rangeEnd: prefixEnd(key) };
  }
  if (options.fromKey === true) return { key: key.length === 0 ? zeroByte : key, rangeEnd: zeroByte };
  return { key, rangeEnd: options.rangeEnd === undefined ? noEnd : toBytes(options.rangeEnd) };
}
