/**
 * An ordered store in plain memory with a simulated disk below: batches that were not synced can be lost when it
 * crashes. Under it the block code runs in tests and in the simulator as it does over LevelDB.
 */
import { bytesToLatin1, copyBytes, latin1ToBytes } from "../../src/base/bytes.js";
import { limits } from "../../src/base/limits.js";
import type {
  KeyRange,
  OrderedStore,
  StoreEntry,
  StoreOperation,
  StoreView,
} from "../../src/storage/leveldb/ordered-store.js";

type Content = ReadonlyMap<string, Uint8Array>;

class MemoryView implements StoreView {
  constructor(readonly content: Content) {}
  async close(): Promise<void> {}
}

export class MemoryOrderedStore implements OrderedStore {
  readonly location = "memory";
  /** Runs before a batch is written; what it throws is the disk's failure. */
  beforeBatch: () => void | Promise<void> = () => {};
  private content: Content;
  private unsynced: (readonly StoreOperation[])[] = [];

  constructor(private durable: Content = new Map()) {
    this.content = durable;
  }

  /** Batches that a power cut may lose. */
  get unsyncedBatches(): number {
    return this.unsynced.length;
  }

  /** What a start finds after a power cut: all synced batches, and those of the unsynced that `survives` keeps. */
  afterPowerCut(survives: (unsyncedBatch: number) => boolean): MemoryOrderedStore {
    const kept = this.unsynced.filter((_, batch) => survives(batch));
    return new MemoryOrderedStore(kept.reduce(applied, this.durable));
  }

  /** Damages the disk: `edit` gets the value of every record whose key starts with `kind`. */
  damage(kind: number, edit: (value: Uint8Array) => Uint8Array | undefined): void {
    const changed = new Map(this.content);
    for (const [key, value] of this.content) {
      if (key.charCodeAt(0) !== kind) continue;
      const edited = edit(copyBytes(value));
      if (edited === undefined) changed.delete(key);
      else changed.set(key, edited);
    }
    this.content = changed;
    this.durable = changed;
  }

  /** Records whose key starts with `kind`. */
  count(kind: number): number {
    return [...this.content.keys()].filter((key) => key.charCodeAt(0) === kind).length;
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    const value = this.content.get(bytesToLatin1(key));
    return value === undefined ? undefined : copyBytes(value);
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    await this.beforeBatch();
    const copies = operations.map(({ key, value }) => ({
      key: copyBytes(key),
      value: value === undefined ? undefined : copyBytes(value),
    }));
    this.content = applied(this.content, copies);
    // Readers may run while LevelDB holds the batch already and the writer does not know yet.
    await Promise.resolve();
    await Promise.resolve();
    if (options.sync) {
      this.durable = this.content;
      this.unsynced = [];
    } else this.unsynced.push(copies);
  }

  view(): StoreView {
    return new MemoryView(this.content);
  }

  async *entries(range: KeyRange, view: StoreView | undefined): AsyncGenerator<readonly StoreEntry[]> {
    const content = (view as MemoryView | undefined)?.content ?? this.content;
    let slice: StoreEntry[] = [];
    let bytes = 0;
    for (const key of sortedKeys(content, range)) {
      const value = copyBytes(content.get(key)!);
      slice.push([latin1ToBytes(key), value]);
      bytes += value.length;
      if (bytes < limits.blockReadBytesMax) continue;
      await Promise.resolve();
      yield slice;
      slice = [];
      bytes = 0;
    }
    if (slice.length > 0) yield slice;
  }

  async *keys(range: KeyRange): AsyncGenerator<readonly Uint8Array[]> {
    const keys = sortedKeys(this.content, range).map((key) => latin1ToBytes(key));
    if (keys.length > 0) yield keys;
  }

  async reclaim(): Promise<void> {}

  async releaseMemory(): Promise<void> {}

  async diskBytes(): Promise<number> {
    let bytes = 0;
    for (const [key, value] of this.content) bytes += key.length + value.length;
    return bytes;
  }

  async close(): Promise<void> {}
}

function applied(content: Content, operations: readonly StoreOperation[]): Content {
  const changed = new Map(content);
  for (const { key, value } of operations) {
    if (value === undefined) changed.delete(bytesToLatin1(key));
    else changed.set(bytesToLatin1(key), value);
  }
  return changed;
}

function sortedKeys(content: Content, range: KeyRange): string[] {
  const from = bytesToLatin1(range.from);
  const to = bytesToLatin1(range.to);
  return [...content.keys()].filter((key) => key >= from && key < to).sort();
}
