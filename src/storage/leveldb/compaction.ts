/** One slice of a compaction: reads a few blocks, decides what becomes of them, hands back the change. */
import type { Revision } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { RevisionId } from "../../mvcc/contract.js";
import type { RevisionAlive } from "../../ports/revision-store.js";
import type { Block } from "./block-codec.js";
import type { BlockIndex } from "./block-index.js";
import { smallBlockBytes } from "./block-packer.js";
import type { BlockSplice } from "./block-table.js";
import { planCompaction, type Rewrite } from "./compaction-plan.js";
import { damagedStore } from "./damage.js";
import type { DurableContent } from "./durable-content.js";
import { decodeBlockKey, endOfKind, lowestBlockKey, recordKinds, startOfKind } from "./keys.js";
import type { KeyRange } from "./ordered-store.js";

/** The next slice starts with the block that holds this revision, or the first one after it. */
export type CompactionCursor = RevisionId;

export interface CompactionSlice {
  readonly splices: readonly BlockSplice[];
  /** Undefined after the last slice. */
  readonly next: CompactionCursor | undefined;
}

interface CompactionStep {
  readonly from: CompactionCursor;
  readonly upTo: Revision;
  readonly alive: RevisionAlive;
}

/** No batch may be under way from the call until the splices are written. */
export async function compactSlice(content: DurableContent, step: CompactionStep): Promise<CompactionSlice> {
  const { blocks } = content;
  const { index } = blocks;
  const from = Math.max(index.floor(step.from.main, step.from.sub), 0);
  const to = sliceEnd(index, from, step.upTo);
  if (from === to) return { splices: [], next: undefined };
  const slice = await readBlocks(content, from, to);
  const rewrites = planCompaction(slice, step.upTo, step.alive);
  const splices = rewrites.map((rewrite) => ({
    from: from + rewrite.from,
    to: from + rewrite.to,
    retired: slice.slice(rewrite.from, rewrite.to),
    blocks: rewrite.blocks,
    keepInMemory: blocks.anyCached(from + rewrite.from, from + rewrite.to) ? always : never,
  }));
  const atEnd = to === index.length || index.mainAt(to) > step.upTo;
  return { splices, next: atEnd ? undefined : nextCursor(index, to, slice, rewrites) };
}

/** The slice after this one; it takes a small last block of this one in, to merge it with its neighbour. */
function nextCursor(
  index: BlockIndex,
  to: number,
  slice: readonly Block[],
  rewrites: readonly Rewrite[],
): CompactionCursor {
  const lastRewrite = rewrites.at(-1);
  const rewritten = lastRewrite?.to === slice.length;
  const last = rewritten ? lastRewrite?.blocks.at(-1) : slice.at(-1);
  return last !== undefined && last.sizeBytes < smallBlockBytes ? last : index.keyAt(to);
}

/** Blocks of about limits.blockReadBytesMax together, at least two where there are two. */
function sliceEnd(index: BlockIndex, from: number, upTo: Revision): number {
  let to = from;
  let bytes = 0;
  while (
    to < index.length &&
    index.mainAt(to) <= upTo &&
    (bytes < limits.blockReadBytesMax || to < from + 2)
  ) {
    bytes += index.sizeAt(to);
    to++;
  }
  return to;
}

async function readBlocks(content: DurableContent, from: number, to: number): Promise<Block[]> {
  const { blocks, ordered } = content;
  const { index } = blocks;
  const read: Block[] = [];
  for await (const entries of ordered.entries(keyRange(index, from, to), undefined)) {
    for (const [encodedKey, bytes] of entries) {
      const key = decodeBlockKey(encodedKey);
      const expected = from + read.length < to ? index.keyAt(from + read.length) : undefined;
      if (key === undefined || key.main !== expected?.main || key.sub !== expected.sub) {
        throw damagedStore(ordered.location, "its blocks are not those that it had when it was opened");
      }
      read.push(blocks.verified(bytes, expected));
    }
  }
  if (read.length !== to - from) {
    throw damagedStore(ordered.location, `a pass over ${to - from} blocks found ${read.length}`);
  }
  return read;
}

function keyRange(index: BlockIndex, from: number, to: number): KeyRange {
  const bound = (position: number) => lowestBlockKey(index.keyAt(position).main, index.keyAt(position).sub);
  return {
    from: from === 0 ? startOfKind(recordKinds.block) : bound(from),
    to: to === index.length ? endOfKind(recordKinds.block) : bound(to),
  };
}

/** The whole store in ranges of about limits.storeReclaimBytes of live blocks; the last one includes the state. */
export function reclaimRanges(index: BlockIndex): KeyRange[] {
  const bounds = [startOfKind(recordKinds.block)];
  let bytes = 0;
  for (let position = 0; position < index.length; position++) {
    bytes += index.sizeAt(position);
    if (bytes < limits.storeReclaimBytes) continue;
    const { main, sub } = index.keyAt(position);
    bounds.push(lowestBlockKey(main, sub));
    bytes = 0;
  }
  bounds.push(endOfKind(recordKinds.mark));
  return bounds.slice(1).map((to, at) => ({ from: bounds[at]!, to }));
}

const always = (): boolean => true;
const never = (): boolean => false;
