/**
 * Names of the log's files: `%016x-%016x.wal`, the sequence number of the segment and the index that the next
 * entry had when it began. Sequence numbers rise by one; the first segment of a log is 0-0.
 */
import type { Index } from "../../base/brand.js";

export interface SegmentRef {
  readonly sequence: number;
  readonly firstIndex: Index;
  readonly name: string;
}

export function segmentRef(sequence: number, firstIndex: Index): SegmentRef {
  return { sequence, firstIndex, name: `${hex16(sequence)}-${hex16(firstIndex)}.wal` };
}

/** Undefined where `name` is not that of a segment. */
export function parseSegmentName(name: string): SegmentRef | undefined {
  const parts = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/.exec(name);
  if (parts === null) return undefined;
  const sequence = Number.parseInt(parts[1]!, 16);
  const firstIndex = Number.parseInt(parts[2]!, 16);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(firstIndex)) return undefined;
  return { sequence, firstIndex, name };
}

/** The segments among `names`, oldest first. */
export function sortedSegments(names: readonly string[]): SegmentRef[] {
  const refs: SegmentRef[] = [];
  for (const name of names) {
    const ref = parseSegmentName(name);
    if (ref !== undefined) refs.push(ref);
  }
  return refs.sort((a, b) => a.sequence - b.sequence || a.firstIndex - b.firstIndex);
}

/**
 * The newest run of segments without a gap in their sequence. What is older than a gap was released: deleting
 * several files is not one step, and a crash may keep an older one.
 */
export function newestRun(sorted: readonly SegmentRef[]): readonly SegmentRef[] {
  let start = sorted.length - 1;
  while (start > 0 && sorted[start - 1]!.sequence === sorted[start]!.sequence - 1) start--;
  return sorted.slice(Math.max(start, 0));
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
