/**
 * The revision store: consecutive revisions in blocks (block-codec.ts), each one LevelDB record, and small state
 * records beside them, written in atomic batches that each leave a mark over the whole content (mark.ts).
 *
 *   append, setState ─→ PendingUnits ──flush──→ DurableContent: BlockTable, StateTable, mark ─→ OrderedStore
 *   read ─→ PendingUnits, then BlockTable: index → cache → OrderedStore.getSync
 *
 * Writers take turns (write-turns.ts): a flush, a slice of a compaction, the opening of an image or a scan. A batch
 * becomes visible to reads in one step, after it is durable; the blocks that it deletes stay readable until then.
 *
 * The store can lag behind the log and never gets ahead of it. It relies on these of its caller: a durable log holds every
 * unit that is flushed; the log is cut only behind a flush with `sync` true; after a failed flush the process ends.
 */
import { assert } from "../../base/assert.js";
import type { Index, Revision } from "../../base/brand.js";
import { bytesToLatin1 } from "../../base/bytes.js";
import { failpoints } from "../../base/failpoint.js";
import { limits } from "../../base/limits.js";
import type { Logger } from "../../base/logger.js";
import type { RevisionId, RevisionRecord, RevisionSlice } from "../../mvcc/contract.js";
import type { ReadBatch, ReadBudget } from "../../mvcc/read-batch.js";
import type { AppliedMark, RevisionAlive, RevisionStore, StoreImage } from "../../ports/revision-store.js";
import { openStoreImage } from "../snapshot/image-source.js";
import { type Block, blockHeaderBytes } from "./block-codec.js";
import { packBlocks, smallBlockBytes, trailingBlocksToJoin } from "./block-packer.js";
import type { BlockSplice } from "./block-table.js";
import { type CompactionCursor, compactSlice, reclaimRanges } from "./compaction.js";
import { DurableContent } from "./durable-content.js";
import type { OrderedStore } from "./ordered-store.js";
import { PendingUnits } from "./pending-units.js";
import { RevisionColumns } from "./revision-columns.js";
import { allRevisions, recordsOf, scanBlocks } from "./scan.js";
import type { UnitGroup } from "./sealed-units.js";
import { WriteTurns } from "./write-turns.js";

export interface RevisionStoreOptions {
  /** Bytes of blocks kept in memory for reads; limits.blockCacheBytesMax unless a flag says otherwise. */
  readonly blockCacheBytesMax: number;
}

export interface RevisionStoreDeps {
  readonly logger: Logger;
  /** base/next-turn.ts, or what the simulator has in its place: a pass over the disk takes time there. */
  readonly yieldTurn: () => Promise<unknown>;
}

export class LevelRevisionStore implements RevisionStore {
  private readonly pending = new PendingUnits();
  private readonly turns = new WriteTurns();
  /** The newest revision; 0.0 while there is none. */
  private newestMain: Revision;
  private newestSub: number;
  private unsynced = false;
  private flushing = false;
  private compacting = false;

  private constructor(
    private readonly content: DurableContent,
    private readonly deps: RevisionStoreDeps,
  ) {
    const newest = content.newestRevision();
    this.newestMain = newest?.main ?? 0;
    this.newestSub = newest?.sub ?? 0;
  }

  /** Proves the content of `deps.ordered` against its mark (DamageError). The store closes it. */
  static async open(
    options: RevisionStoreOptions,
    deps: RevisionStoreDeps & { readonly ordered: OrderedStore },
  ): Promise<LevelRevisionStore> {
    return new LevelRevisionStore(await DurableContent.open(options, deps), deps);
  }

  get durableApplied(): AppliedMark {
    return this.content.mark.applied;
  }

  get pendingBytes(): number {
    return this.pending.bytes;
  }

  get sizeBytes(): number {
    return Math.max(this.content.diskBytes, this.sizeInUseBytes);
  }

  get sizeInUseBytes(): number {
    return this.content.blocks.index.sizeBytes + this.content.state.sizeBytes;
  }

  read(main: Revision, sub: number): Uint8Array {
    const value = this.pending.read(main, sub) ?? this.content.blocks.read(main, sub);
    assert(value !== undefined, "a revision that is asked for is in the store");
    return value;
  }

  locate(batch: ReadBatch, budget: ReadBudget): void {
    const { pending } = this;
    const { blocks } = this.content;
    while (!batch.isLocated(blocks.loadedBytes, budget)) {
      const main = batch.mains[batch.located]!;
      const sub = batch.subs[batch.located]!;
      const value = pending.read(main, sub);
      if (value !== undefined) batch.place(value, 0, value.length);
      else assert(blocks.locate(batch, main, sub), "a revision that is asked for is in the store");
    }
  }

  get loadedBytes(): number {
    return this.content.blocks.loadedBytes;
  }

  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): void {
    let last: RevisionId = { main: fromMain, sub: -1 };
    const visitNew = (record: RevisionRecord): boolean => {
      // Between the end of a flush and the release of its group both hold the same revisions.
      if (record.main < last.main || (record.main === last.main && record.sub <= last.sub)) return true;
      last = record;
      return visit(record);
    };
    if (this.content.blocks.walk(fromMain, visitNew)) this.pending.walk(fromMain, visitNew);
  }

  append(main: Revision, sub: number, tombstone: boolean, keyValue: Uint8Array): void {
    const ascends = main > this.newestMain || (main === this.newestMain && sub > this.newestSub);
    assert(ascends, "revisions are appended in ascending order");
    this.newestMain = main;
    this.newestSub = sub;
    this.pending.append(main, sub, tombstone, keyValue);
  }

  getState(key: string): Uint8Array | undefined {
    return this.content.state.get(key);
  }

  setState(key: string, value: Uint8Array | undefined): void {
    const kept = value === undefined ? undefined : bytesToLatin1(value);
    this.content.state.set(key, kept);
    this.pending.setState(key, kept);
  }

  listState(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return this.content.state.list(prefix);
  }

  seal(applied: AppliedMark): void {
    this.turns.check();
    assert(applied.index >= this.durableApplied.index, "units are sealed in the order of the log");
    this.pending.seal(applied);
  }

  /**
   * See the port. More than limits.storeBatchBytesMax goes in several batches of whole units, each durable before the
   * next, so that no single step holds the loop up.
   */
  async flush(durableIndex: Index, options: { readonly sync: boolean }): Promise<void> {
    assert(!this.flushing, "one flush at a time");
    this.flushing = true;
    try {
      while (await this.turns.run(() => this.flushGroup(durableIndex, options))) {
        // Each turn writes one group.
      }
      if (options.sync && this.unsynced) await this.turns.run(() => this.syncMark());
    } finally {
      this.flushing = false;
    }
  }

  async *scan(options: {
    readonly fromMain: Revision;
    readonly toMain: Revision;
  }): AsyncGenerator<RevisionRecord[]> {
    yield* recordsOf(await this.blocksOf(options), options);
  }

  async *scanAll(): AsyncGenerator<RevisionSlice> {
    yield* await this.blocksOf(allRevisions);
  }

  async compact(upTo: Revision, alive: RevisionAlive): Promise<void> {
    assert(!this.compacting, "one compaction at a time");
    this.compacting = true;
    try {
      let cursor: CompactionCursor | undefined = { main: 0, sub: 0 };
      while (cursor !== undefined) {
        const from: CompactionCursor = cursor;
        cursor = await this.turns.run(() => this.compactFrom(from, upTo, alive));
        await this.deps.yieldTurn();
      }
      await this.reclaimGarbage();
    } finally {
      this.compacting = false;
    }
  }

  openImage(): Promise<StoreImage> {
    return this.turns.run(async () => openStoreImage(this.content));
  }

  /**
   * Rewrites LevelDB's files so that they hold what is alive and nothing else. Reads and writes go on meanwhile, and
   * whatever comes of it the store holds the same.
   */
  async defragment(): Promise<void> {
    this.turns.check();
    failpoints.defragBeforeCopy?.();
    const failure = failpoints.defragdbFail?.();
    if (failure !== undefined) throw new Error(failure);
    for (const range of reclaimRanges(this.content.blocks.index)) await this.content.ordered.reclaim(range);
    failpoints.defragBeforeRename?.();
    await this.content.measure();
  }

  async loaded(): Promise<void> {
    if (this.content.blocks.index.sizeBytes < limits.storeMappedBytesMin) return;
    await this.turns.run(() => this.content.ordered.releaseMemory());
  }

  dropUnread(): void {
    this.content.blocks.dropUnread();
  }

  async close(): Promise<void> {
    await this.turns.stop();
    await this.content.ordered.close();
  }

  private blocksOf(bounds: Parameters<typeof scanBlocks>[2]): Promise<AsyncGenerator<Block>> {
    return this.turns.run(async () => scanBlocks(this.content.blocks, this.content.ordered, bounds));
  }

  /** Writes the oldest units; false when none is left. */
  private async flushGroup(durableIndex: Index, options: { readonly sync: boolean }): Promise<boolean> {
    const group = this.pending.firstGroup(durableIndex, limits.storeBatchBytesMax);
    if (group === undefined) return false;
    try {
      failpoints.beforeStartDBTxn?.();
      const splices = await this.spliceOf(group);
      failpoints.afterStartDBTxn?.();
      await this.commit({ applied: group.applied, splices, state: group.state }, options);
    } catch (error) {
      this.turns.fail(error);
      throw error;
    }
    this.pending.release(group);
    return true;
  }

  /** The group's records, packed together with the small blocks before them; requests are served between blocks. */
  private async spliceOf(group: UnitGroup): Promise<BlockSplice[]> {
    if (group.recordCount === 0) return [];
    const { blocks: durable } = this.content;
    const { index } = durable;
    failpoints.beforeWritebackBuf?.();
    const joined = trailingBlocksToJoin(blockHeaderBytes + group.recordBytes, index.length, (fromEnd) =>
      index.sizeAt(index.length - 1 - fromEnd),
    );
    const from = index.length - joined;
    const retired = Array.from({ length: joined }, (_, at) => durable.blockAt(from + at));
    const revisions = new RevisionColumns();
    for (const block of retired) revisions.appendAll(block.records());
    revisions.appendFirst(this.pending.revisions, group.recordCount);
    const blocks: Block[] = [];
    for (const block of packBlocks(revisions)) {
      blocks.push(block);
      await this.deps.yieldTurn();
    }
    failpoints.afterWritebackBuf?.();
    return [{ from, to: index.length, retired, blocks, keepInMemory: joinsSoon }];
  }

  private async syncMark(): Promise<void> {
    try {
      await this.commit({ applied: this.durableApplied, splices: [], state: new Map() }, { sync: true });
    } catch (error) {
      this.turns.fail(error);
      throw error;
    }
  }

  private async commit(
    change: Parameters<DurableContent["commit"]>[0],
    options: { readonly sync: boolean },
  ): Promise<void> {
    failpoints.commitBeforePreCommitHook?.();
    await this.content.commit(change, options, () => {
      failpoints.commitAfterPreCommitHook?.();
      failpoints.beforeCommit?.();
    });
    this.unsynced = !options.sync;
    failpoints.afterCommit?.();
  }

  private async compactFrom(
    from: CompactionCursor,
    upTo: Revision,
    alive: RevisionAlive,
  ): Promise<CompactionCursor | undefined> {
    failpoints.compactAfterAcquiredBatchTxLock?.();
    const slice = await compactSlice(this.content, { from, upTo, alive });
    if (slice.splices.length === 0) return slice.next;
    try {
      const change = { applied: this.durableApplied, splices: slice.splices, state: new Map() };
      await this.content.commit(change, { sync: true }, () => failpoints.compactBeforeCommitBatch?.());
      this.unsynced = false;
      failpoints.compactAfterCommitBatch?.();
    } catch (error) {
      this.turns.fail(error);
      throw error;
    }
    return slice.next;
  }

  /** LevelDB drops replaced records when it gets to them; this makes it, when they are too many. */
  private async reclaimGarbage(): Promise<void> {
    await this.content.measure();
    if (this.sizeBytes - 2 * this.sizeInUseBytes < limits.storeGarbageBytesMax) return;
    const before = this.sizeBytes;
    for (const range of reclaimRanges(this.content.blocks.index)) {
      this.turns.check();
      await this.content.ordered.reclaim(range);
    }
    await this.content.measure();
    const fields = {
      "bytes-before": before,
      "bytes-after": this.sizeBytes,
      "bytes-in-use": this.sizeInUseBytes,
    };
    this.deps.logger.info("storage/leveldb", "dropped compacted revisions from disk", fields);
  }
}

/**
 * The next flush may take a small block in. A full one is read again only if a client asks for it, and then once:
 * values that were just written are not worth the memory of those that are read.
 */
function joinsSoon(block: Block): boolean {
  return block.sizeBytes < smallBlockBytes;
}
