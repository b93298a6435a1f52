/**
 * LevelDB by way of classic-level: the only file that knows it.
 *
 * What LevelDB 1.20 as classic-level builds it does not do, and who does it instead:
 * - It verifies no checksum of its table files, ends an iteration silently at a damaged spot, and skips damaged
 *   batches of its log. The block code carries checksums and a mark over the whole content.
 * - A synced batch forces LevelDB's current log alone. After unsynced batches the previous log, whose memtable is
 *   still being written to a table, may hold some of them. So a synced batch after unsynced ones also waits until
 *   all memtables are synced tables.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { StoreError, storeError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { damagedStore } from "./damage.js";
import type { KeyRange, OrderedStore, StoreEntry, StoreOperation, StoreView } from "./ordered-store.js";

type Level = ClassicLevel<Uint8Array, Uint8Array>;
type Snapshot = ReturnType<Level["snapshot"]>;

/** Entries of one crossing, whatever their size. */
const crossingEntriesMax = 1_000;
/** LevelDB's own cache of table blocks is of no use: tables are mapped into memory, blocks are cached above. */
const levelCacheBytes = 1024 * 1024;
const lowestKey = Uint8Array.of(0);

/**
 * Opens the LevelDB in `directory`; `create` says whether there must be none or one. Errors: StoreError
 * FailedPrecondition when another process (or this one) has it open; DamageError.
 */
export async function openClassicLevelStore(
  directory: string,
  options: { readonly create: boolean },
): Promise<OrderedStore> {
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    createIfMissing: options.create,
    compression: false,
    cacheSize: levelCacheBytes,
    writeBufferSize: limits.storeWriteBufferBytes,
    maxFileSize: limits.storeFileBytes,
  });
  try {
    await level.open();
  } catch (error) {
    throw openFailure(directory, error);
  }
  return new ClassicLevelStore(directory, level);
}

class LevelView implements StoreView {
  private closing: Promise<void> | undefined;
  constructor(readonly snapshot: Snapshot) {}

  close(): Promise<void> {
    this.closing ??= this.snapshot.close();
    return this.closing;
  }
}

class ClassicLevelStore implements OrderedStore {
  private unsynced = false;

  constructor(
    readonly location: string,
    private readonly level: Level,
  ) {}

  getSync(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.level.getSync(key);
    } catch (error) {
      throw this.readFailure(error);
    }
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    const { sync } = options;
    try {
      await this.write(operations, sync);
      if (sync && this.unsynced) await this.level.compactRange(lowestKey, lowestKey);
      this.unsynced = !sync;
    } catch (error) {
      throw this.failure(error);
    }
  }

  view(): StoreView {
    try {
      return new LevelView(this.level.snapshot());
    } catch (error) {
      throw this.failure(error);
    }
  }

  entries(range: KeyRange, view: StoreView | undefined): AsyncIterable<readonly StoreEntry[]> {
    const { snapshot } = (view as LevelView | undefined) ?? { snapshot: undefined };
    return this.slices(() =>
      this.level.iterator({
        gte: range.from,
        lt: range.to,
        fillCache: false,
        highWaterMarkBytes: limits.blockReadBytesMax,
        ...(snapshot === undefined ? {} : { snapshot }),
      }),
    );
  }

  keys(range: KeyRange): AsyncIterable<readonly Uint8Array[]> {
    return this.slices(() => this.level.keys({ gte: range.from, lt: range.to, fillCache: false }));
  }

  async reclaim(range: KeyRange): Promise<void> {
    try {
      await this.level.compactRange(range.from, range.to);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** LevelDB maps a table file into memory when it is read, and lets go of it when it is closed. */
  async releaseMemory(): Promise<void> {
    await this.level.close();
    try {
      await this.level.open();
    } catch (error) {
      throw openFailure(this.location, error);
    }
  }

  async diskBytes(): Promise<number> {
    let total = 0;
    for (const name of await readdir(this.location)) {
      // LevelDB may delete a file between the two calls.
      const found = await stat(join(this.location, name)).catch(() => undefined);
      total += found?.size ?? 0;
    }
    return total;
  }

  async close(): Promise<void> {
    await this.level.close();
  }

  /** Asks for the next slice while the caller works on this one: LevelDB reads in a thread of its own. */
  private async *slices<Item>(open: () => SliceSource<Item>): AsyncGenerator<readonly Item[]> {
    let source: SliceSource<Item> | undefined;
    try {
      source = open();
      let next = source.nextv(crossingEntriesMax);
      for (;;) {
        const slice = await next;
        if (slice.length === 0) return;
        next = source.nextv(crossingEntriesMax);
        // Whoever stops early never awaits it; its failure then concerns nobody.
        next.catch(() => undefined);
        yield slice;
      }
    } catch (error) {
      throw this.readFailure(error);
    } finally {
      await source?.close();
    }
  }

  /** Operation by operation into LevelDB's own batch: a third of the time of one call with all, and no garbage. */
  private write(operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    const batch = this.level.batch();
    for (const { key, value } of operations) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    return batch.write({ sync });
  }

  private readFailure(error: unknown): unknown {
    if (!isUnreadable(error)) return this.failure(error);
    return damagedStore(this.location, `LevelDB can not read it: ${errorText(error)}`);
  }

  private failure(error: unknown): unknown {
    // Whoever reads in slices may find the store closed in between, to be replaced or for good.
    if (closedCodes.has(errorCode(error))) return storeError("Stopped");
    if (errorCode(error) !== "LEVEL_CORRUPTION") return error;
    return damagedStore(this.location, `LevelDB reports ${errorText(error)}`);
  }
}

const closedCodes: ReadonlySet<string | undefined> = new Set([
  "LEVEL_DATABASE_NOT_OPEN",
  "LEVEL_ITERATOR_NOT_OPEN",
  "LEVEL_SNAPSHOT_NOT_OPEN",
]);

interface SliceSource<Item> {
  nextv(count: number): Promise<Item[]>;
  close(): Promise<void>;
}

function openFailure(directory: string, error: unknown): unknown {
  const cause = (error as { readonly cause?: unknown }).cause ?? error;
  const text = errorText(cause);
  if (errorCode(cause) === "LEVEL_LOCKED") {
    return new StoreError({
      code: "Other",
      status: "FailedPrecondition",
      text: `revision store ${directory} is in use by another process or another store of this one (${text})`,
    });
  }
  if (errorCode(cause) === "LEVEL_CORRUPTION" || text.includes("does not exist") || isUnreadable(cause)) {
    return damagedStore(directory, `LevelDB can not open it: ${text}`);
  }
  return new Error(`revision store ${directory}: LevelDB can not open it: ${text}`, { cause });
}

/** A file that is shorter than it was, or a disk that gives nothing back. What the system refuses or lacks is neither. */
function isUnreadable(error: unknown): boolean {
  if (errorCode(error) !== "LEVEL_IO_ERROR") return false;
  return !/Permission denied|No space left|Too many open files|Read-only file system/.test(errorText(error));
}

function errorCode(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
