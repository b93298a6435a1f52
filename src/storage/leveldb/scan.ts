import type { Revision } from "../../base/brand.js";
import type { RevisionRecord } from "../../mvcc/contract.js";
import type { Block } from "./block-codec.js";
import type { BlockTable } from "./block-table.js";
import { damagedStore } from "./damage.js";
import { decodeBlockKey, endOfKind, lowestBlockKey, recordKinds } from "./keys.js";
import type { KeyRange, OrderedStore, StoreView } from "./ordered-store.js";

interface ScanBounds {
  readonly fromMain: Revision;
  readonly toMain: Revision;
}

export const allRevisions: ScanBounds = { fromMain: 0, toMain: Number.MAX_SAFE_INTEGER };

/** The revisions of `blocks` that are within the bounds. One slice is of one block. */
export async function* recordsOf(
  blocks: AsyncIterable<Block>,
  bounds: ScanBounds,
): AsyncGenerator<RevisionRecord[]> {
  for await (const block of blocks) {
    const records = withinBounds(block.records(), bounds);
    if (records.length > 0) yield records;
  }
}

/**
 * The blocks of all revisions with a main revision from `fromMain` to `toMain`, both included, as they are at the moment
 * of the call: batches that come later are not seen. No batch may be under way at the call.
 */
export function scanBlocks(
  blocks: BlockTable,
  ordered: OrderedStore,
  bounds: ScanBounds,
): AsyncGenerator<Block> {
  const { index } = blocks;
  const first = Math.max(index.floor(bounds.fromMain, 0), 0);
  const end = index.floor(bounds.toMain + 1, 0) + 1;
  const count = Math.max(end - first, 0);
  if (count === 0) return nothing();
  const from = index.keyAt(first);
  const range = {
    from: lowestBlockKey(from.main, from.sub),
    to:
      end < index.length
        ? lowestBlockKey(index.keyAt(end).main, index.keyAt(end).sub)
        : endOfKind(recordKinds.block),
  };
  return scanView(blocks, ordered, { range, count, view: ordered.view() });
}

async function* nothing(): AsyncGenerator<Block> {}

async function* scanView(
  blocks: BlockTable,
  ordered: OrderedStore,
  pass: { readonly range: KeyRange; readonly count: number; readonly view: StoreView },
): AsyncGenerator<Block> {
  let seen = 0;
  try {
    for await (const slice of ordered.entries(pass.range, pass.view)) {
      for (const [encodedKey, bytes] of slice) {
        const key = decodeBlockKey(encodedKey);
        if (key === undefined) throw damagedStore(ordered.location, "it holds a block under a malformed key");
        seen++;
        yield blocks.verified(bytes, key);
      }
    }
  } finally {
    await pass.view.close();
  }
  if (seen !== pass.count) {
    throw damagedStore(ordered.location, `a pass over ${pass.count} blocks found ${seen}`);
  }
}

/** The first and the last block of a pass may reach over its bounds. */
function withinBounds(records: RevisionRecord[], { fromMain, toMain }: ScanBounds): RevisionRecord[] {
  const inside = records[0]!.main >= fromMain && records.at(-1)!.main <= toMain;
  return inside ? records : records.filter(({ main }) => main >= fromMain && main <= toMain);
}
