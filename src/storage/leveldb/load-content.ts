/** What start does: reads mark, state and block keys, and proves that they belong together. */
import type { BlockTable } from "./block-table.js";
import { damagedStore } from "./damage.js";
import {
  type BlockKey,
  decodeBlockKey,
  decodeStateKey,
  endOfKind,
  markKey,
  recordKinds,
  startOfKind,
} from "./keys.js";
import { ContentSummary, decodeMark, encodeMark, type StoreMark } from "./mark.js";
import type { OrderedStore } from "./ordered-store.js";
import { decodeState, type StateTable } from "./state-table.js";

/**
 * Fills `blocks` and `state` and returns the mark that their content fits; a store without any record becomes a
 * fresh one. Reads no block. DamageError otherwise.
 */
export async function loadContent(
  ordered: OrderedStore,
  blocks: BlockTable,
  state: StateTable,
): Promise<StoreMark> {
  const content = new ContentSummary();
  await loadState(ordered, state, content);
  await loadBlockKeys(ordered, blocks, content);
  const bytes = ordered.getSync(markKey);
  if (bytes === undefined) return makeFresh(ordered, content);
  const mark = decodeMark(bytes);
  if (typeof mark === "string") throw damagedStore(ordered.location, `its mark ${mark}`);
  if (!mark.content.equals(content)) {
    throw damagedStore(
      ordered.location,
      `it holds ${content}, but batch ${mark.batches} (applied index ${mark.applied.index}) left ${mark.content}: ` +
        "a batch or a record is missing",
    );
  }
  return mark;
}

async function makeFresh(ordered: OrderedStore, found: ContentSummary): Promise<StoreMark> {
  if (!found.isEmpty) throw damagedStore(ordered.location, `it holds ${found}, but its mark is missing`);
  const mark: StoreMark = { applied: { index: 0, term: 0 }, batches: 0, content: new ContentSummary() };
  await ordered.batch([{ key: markKey, value: encodeMark(mark) }], { sync: true });
  return mark;
}

async function loadState(ordered: OrderedStore, state: StateTable, content: ContentSummary): Promise<void> {
  const range = { from: startOfKind(recordKinds.state), to: endOfKind(recordKinds.state) };
  for await (const slice of ordered.entries(range, undefined)) {
    for (const [encodedKey, bytes] of slice) {
      const key = decodeStateKey(encodedKey);
      const stored = decodeState(encodedKey, bytes);
      if (stored === undefined) {
        throw damagedStore(ordered.location, `the state record ${JSON.stringify(key)} fails its checksum`);
      }
      state.load(key, stored.value, stored.checksum);
      content.addState(stored.checksum);
    }
  }
}

async function loadBlockKeys(
  ordered: OrderedStore,
  blocks: BlockTable,
  content: ContentSummary,
): Promise<void> {
  const range = { from: startOfKind(recordKinds.block), to: endOfKind(recordKinds.block) };
  let previous: BlockKey | undefined;
  for await (const slice of ordered.keys(range)) {
    const keys: BlockKey[] = [];
    for (const bytes of slice) {
      const key = decodeBlockKey(bytes);
      if (key === undefined) throw damagedStore(ordered.location, "it holds a block under a malformed key");
      if (previous !== undefined && previous.main === key.main && previous.sub === key.sub) {
        throw damagedStore(
          ordered.location,
          `it holds two blocks that start at revision ${key.main}.${key.sub}`,
        );
      }
      previous = key;
      keys.push(key);
      content.addBlock(bytes);
    }
    blocks.index.replace(blocks.index.length, blocks.index.length, keys);
  }
}
