/** How records are distributed over blocks. */
import { limits } from "../../base/limits.js";
import {
  type Block,
  blockHeaderBytes,
  directoryEntryBytes,
  encodeBlock,
  mainDistanceMax,
} from "./block-codec.js";
import type { RevisionColumns } from "./revision-columns.js";

/** A block below this size is worth merging with its neighbour; one above stays as it is. */
export const smallBlockBytes = limits.blockBytesMax / 2;

/** Consecutive revisions as blocks of up to limits.blockBytesMax; one above that is a block of its own. */
export function* packBlocks(revisions: RevisionColumns): Generator<Block, void> {
  let start = 0;
  let size = blockHeaderBytes;
  for (let at = 0; at < revisions.length; at++) {
    const bytes = directoryEntryBytes + revisions.valueBytesAt(at);
    const distance = revisions.mainAt(at) - revisions.mainAt(start);
    const full = size + bytes > limits.blockBytesMax || distance > mainDistanceMax;
    if (full && at > start) {
      yield encodeBlock(revisions, start, at);
      start = at;
      size = blockHeaderBytes;
    }
    size += bytes;
  }
  if (start < revisions.length) yield encodeBlock(revisions, start, revisions.length);
}

/**
 * How many of the last blocks a flush takes in and writes again together with its own records, which alone would
 * make a block of `flushBytes`.
 * A flush every few milliseconds brings less than a block; blocks of one flush each would be many and tiny. The
 * last blocks are therefore kept as the digits of a binary counter: while the last block is not larger than what
 * is being written, it joins. So a record is written again only when its block at least about doubles: at most
 * log2(blockBytesMax / 2 / flushBytes) times, and as many small blocks at most exist at the end of the store.
 *
 * Example: flushes of 1 KiB each leave blocks of 1; 2; 2,1; 4; 4,1; 4,2; 4,2,1; 8 KiB … and so on up to 32 KiB.
 * `sizeAt(0)` is the size of the last block, `sizeAt(1)` of the one before it.
 */
export function trailingBlocksToJoin(
  flushBytes: number,
  count: number,
  sizeAt: (fromEnd: number) => number,
): number {
  let joined = 0;
  let total = flushBytes;
  while (joined < count) {
    const size = sizeAt(joined);
    if (size >= smallBlockBytes || size > total) break;
    total += size;
    joined++;
  }
  return joined;
}
