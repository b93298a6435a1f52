/** What LevelDB holds, as memory knows it, and the one place where it changes. */
import { assert } from "../../base/assert.js";
import { latin1ToBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import type { RevisionId } from "../../mvcc/contract.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { type BlockSplice, BlockTable } from "./block-table.js";
import { encodeBlockKey, encodeStateKey, markKey } from "./keys.js";
import { loadContent } from "./load-content.js";
import { encodeMark, type StoreMark } from "./mark.js";
import type { OrderedStore, StoreOperation } from "./ordered-store.js";
import type { StateChanges } from "./sealed-units.js";
import { encodeState, StateTable } from "./state-table.js";

/** One atomic batch. */
export interface ContentChange {
  readonly applied: AppliedMark;
  /** Ascending and apart. */
  readonly splices: readonly BlockSplice[];
  readonly state: StateChanges;
}

/** A batch in LevelDB's terms, and what memory takes over once it is durable. */
interface PreparedChange {
  readonly operations: StoreOperation[];
  readonly mark: StoreMark;
  readonly stateChecksums: ReadonlyMap<string, number | undefined>;
  readonly bytes: number;
}

/** The size on disk is measured again after this many bytes were written. */
const remeasureBytes = 2 * limits.storeWriteBufferBytes;

export class DurableContent {
  private bytesOnDisk = 0;
  private bytesSinceMeasured = 0;

  private constructor(
    readonly ordered: OrderedStore,
    readonly blocks: BlockTable,
    readonly state: StateTable,
    private newest: StoreMark,
  ) {}

  static async open(
    options: { readonly blockCacheBytesMax: number },
    deps: { readonly ordered: OrderedStore },
  ): Promise<DurableContent> {
    const { ordered } = deps;
    const blocks = new BlockTable({ cacheBytesMax: options.blockCacheBytesMax }, ordered);
    const state = new StateTable();
    const mark = await loadContent(ordered, blocks, state);
    const content = new DurableContent(ordered, blocks, state, mark);
    await content.measure();
    return content;
  }

  /** What the newest batch left. */
  get mark(): StoreMark {
    return this.newest;
  }

  /** Bytes of all files: as measured, plus what was written since. */
  get diskBytes(): number {
    return this.bytesOnDisk + this.bytesSinceMeasured;
  }

  /** The newest durable revision; undefined when no block is left. */
  newestRevision(): RevisionId | undefined {
    const { index } = this.blocks;
    if (index.length === 0) return undefined;
    const block = this.blocks.blockAt(index.length - 1);
    return block.recordAt(block.count - 1);
  }

  async measure(): Promise<void> {
    this.bytesOnDisk = await this.ordered.diskBytes();
    this.bytesSinceMeasured = 0;
  }

  /** Not to be called again before it has ended (write-turns.ts). `beforeWrite` runs when the batch is made. */
  async commit(
    change: ContentChange,
    options: { readonly sync: boolean },
    beforeWrite: () => void,
  ): Promise<void> {
    const prepared = this.prepare(change);
    beforeWrite();
    this.blocks.beginSplices(change.splices);
    await this.ordered.batch(prepared.operations, options);
    this.blocks.finishSplices(change.splices);
    for (const [key, checksum] of prepared.stateChecksums) this.state.makeDurable(key, checksum);
    this.newest = prepared.mark;
    this.bytesSinceMeasured += prepared.bytes;
    if (this.bytesSinceMeasured > remeasureBytes) await this.measure();
  }

  private prepare(change: ContentChange): PreparedChange {
    assert(change.applied.index >= this.newest.applied.index, "the applied index does not go back");
    const operations: StoreOperation[] = [];
    const content = this.newest.content.copy();
    let bytes = 0;
    for (const splice of change.splices) {
      for (let position = splice.from; position < splice.to; position++) {
        const key = encodeBlockKey(this.blocks.index.keyAt(position));
        operations.push({ key, value: undefined });
        content.removeBlock(key);
      }
      for (const block of splice.blocks) {
        const key = encodeBlockKey(block);
        operations.push({ key, value: block.bytes });
        content.addBlock(key);
        bytes += block.sizeBytes;
      }
    }
    const stateChecksums = new Map<string, number | undefined>();
    for (const [key, value] of change.state) {
      const before = this.state.durableChecksum(key);
      const after = value === undefined ? undefined : encodeState(key, latin1ToBytes(value));
      stateChecksums.set(key, after?.checksum);
      if (before !== undefined) content.removeState(before);
      if (after !== undefined) content.addState(after.checksum);
      if (before !== undefined || after !== undefined)
        operations.push({ key: encodeStateKey(key), value: after?.bytes });
      bytes += after?.bytes.length ?? 0;
    }
    const mark = { applied: change.applied, batches: this.newest.batches + 1, content };
    operations.push({ key: markKey, value: encodeMark(mark) });
    return { operations, mark, stateChecksums, bytes };
  }
}
