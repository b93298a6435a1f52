/** Pages of a run of entries by size. Every page has at least one entry, or what is too large would never move. */
import { entrySizeBytes } from "./codec.js";
import type { Entry } from "./types.js";

/** Where the page that starts at position `start` of `entries` ends (exclusive, at most `end`). */
export function pageEnd(entries: readonly Entry[], start: number, end: number, bytesMax: number): number {
  if (start >= end) return start;
  let bytes = entrySizeBytes(entries[start]!);
  let at = start + 1;
  for (; at < end; at++) {
    bytes += entrySizeBytes(entries[at]!);
    if (bytes > bytesMax) break;
  }
  return at;
}

/** Bytes of the entries as they are stored and sent. */
export function entriesSizeBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entrySizeBytes(entry);
  return bytes;
}

/** Bytes of the payloads alone: an entry without one counts nothing. */
export function payloadBytes(entries: readonly Pick<Entry, "data">[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}
