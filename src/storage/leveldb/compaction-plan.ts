/** Which blocks of a slice a compaction writes again, and with what. Pure. */
import type { Revision } from "../../base/brand.js";
import type { RevisionAlive } from "../../ports/revision-store.js";
import type { Block } from "./block-codec.js";
import { packBlocks, smallBlockBytes } from "./block-packer.js";
import { RevisionColumns } from "./revision-columns.js";

/** Blocks from `from` up to, without, `to` (positions in the slice) give way to `blocks`. */
export interface Rewrite {
  readonly from: number;
  readonly to: number;
  readonly blocks: readonly Block[];
}

/**
 * Runs of neighbours that hold dead records or are small become full blocks of what is alive; a block that is
 * neither stays, and so does a small one alone between such.
 */
export function planCompaction(slice: readonly Block[], upTo: Revision, alive: RevisionAlive): Rewrite[] {
  const rewrites: Rewrite[] = [];
  let from = 0;
  let kept = new RevisionColumns();
  let anyDead = false;
  const closeRun = (to: number) => {
    if (to > from && (anyDead || to - from > 1)) rewrites.push({ from, to, blocks: [...packBlocks(kept)] });
  };
  slice.forEach((block, at) => {
    const all = block.records();
    const survivors = all.filter((record) => record.main > upTo || alive(record));
    const dead = survivors.length < all.length;
    if (!dead && block.sizeBytes >= smallBlockBytes) {
      closeRun(at);
      from = at + 1;
      kept = new RevisionColumns();
      anyDead = false;
      return;
    }
    kept.appendAll(survivors);
    anyDead ||= dead;
  });
  closeRun(slice.length);
  return rewrites;
}
