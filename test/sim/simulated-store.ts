/**
 * The store's ordered store, on the simulated disk: a batch takes virtual time, a synced one is durable when it
 * ends, and one that a crash meets half-way is there afterwards or not.
 */
import { bytesToLatin1, copyBytes, latin1ToBytes } from "../../src/base/bytes.js";
import type {
  KeyRange,
  OrderedStore,
  StoreEntry,
  StoreOperation,
  StoreView,
} from "../../src/storage/leveldb/ordered-store.js";
import type { Dice } from "./dice.js";
import type { DiskMood } from "./disk.js";
import { DiskFailure } from "./violation.js";

/** Waits in virtual time; never resolves for a process that dies meanwhile. */
export type Sleep = (delayUs: number) => Promise<void>;

/** Keys as latin1; never changed once made. */
type Content = ReadonlyMap<string, Uint8Array>;
type Batch = readonly (readonly [key: string, value: Uint8Array | undefined])[];

class ContentView implements StoreView {
  constructor(readonly content: Content) {}
  async close(): Promise<void> {}
}

export class SimulatedStore {
  private content: Content;
  private unsynced: Batch[] = [];
  /** Being written: a crash keeps them or not. */
  private underWay: Batch[] = [];

  constructor(
    readonly mood: DiskMood,
    private durable: Content = new Map(),
  ) {
    this.content = durable;
  }

  /** What the next process finds. */
  afterCrash(power: boolean, dice: Dice): SimulatedStore {
    const halfWay = this.underWay.length > 0 && dice.chance(0.5) ? this.underWay : [];
    const batches = [...this.unsynced, ...halfWay];
    // LevelDB's log is written front to back.
    const kept = power ? batches.slice(0, dice.below(batches.length + 1)) : batches;
    return new SimulatedStore(this.mood, kept.reduce(applied, this.durable));
  }

  /** Damages the disk: `edit` changes the value of one record whose key starts with `kind`; false where there is none. */
  damage(kind: number, dice: Dice, edit: (value: Uint8Array) => void): boolean {
    const keys = [...this.content.keys()].filter((key) => key.charCodeAt(0) === kind).sort();
    if (keys.length === 0) return false;
    const key = dice.pick(keys);
    const value = copyBytes(this.content.get(key)!);
    if (value.length === 0) return false;
    edit(value);
    this.content = new Map(this.content).set(key, value);
    this.durable = new Map(this.durable).set(key, value);
    return true;
  }

  /** The store as one process sees it. */
  openFor(sleep: Sleep): OrderedStore {
    return new OpenStore(this, sleep);
  }

  read(key: Uint8Array): Uint8Array | undefined {
    const value = this.content.get(bytesToLatin1(key));
    return value === undefined ? undefined : copyBytes(value);
  }

  now(): Content {
    return this.content;
  }

  async write(
    operations: readonly StoreOperation[],
    options: { readonly sync: boolean },
    sleep: Sleep,
  ): Promise<void> {
    const { mood } = this;
    if (mood.full) throw new DiskFailure("ENOSPC: no space left on device");
    const batch = operations.map(
      ({ key, value }) => [bytesToLatin1(key), value === undefined ? undefined : copyBytes(value)] as const,
    );
    this.underWay.push(batch);
    await sleep(options.sync ? mood.syncUs : 20);
    if (options.sync && mood.failSync) {
      mood.failSync = false;
      throw new DiskFailure("EIO: sync of the store failed");
    }
    this.underWay = this.underWay.filter((other) => other !== batch);
    this.content = applied(this.content, batch);
    if (options.sync) {
      this.durable = this.content;
      this.unsynced = [];
    } else this.unsynced.push(batch);
  }
}

class OpenStore implements OrderedStore {
  readonly location = "simulated";

  constructor(
    private readonly store: SimulatedStore,
    private readonly sleep: Sleep,
  ) {}

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.store.read(key);
  }

  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    return this.store.write(operations, options, this.sleep);
  }

  view(): StoreView {
    return new ContentView(this.store.now());
  }

  async *entries(range: KeyRange, view: StoreView | undefined): AsyncGenerator<readonly StoreEntry[]> {
    const content = (view as ContentView | undefined)?.content ?? this.store.now();
    const keys = sortedKeys(content, range);
    // Small slices, so that others have their turn between them.
    for (let at = 0; at < keys.length; at += entriesPerSlice) {
      yield keys
        .slice(at, at + entriesPerSlice)
        .map((key) => [latin1ToBytes(key), copyBytes(content.get(key)!)]);
      if (at + entriesPerSlice < keys.length) await this.sleep(50);
    }
  }

  async *keys(range: KeyRange): AsyncGenerator<readonly Uint8Array[]> {
    const keys = sortedKeys(this.store.now(), range);
    if (keys.length > 0) yield keys.map((key) => latin1ToBytes(key));
  }

  async reclaim(): Promise<void> {}

  async releaseMemory(): Promise<void> {}

  async diskBytes(): Promise<number> {
    let bytes = 0;
    for (const [key, value] of this.store.now()) bytes += key.length + value.length;
    return bytes;
  }

  async close(): Promise<void> {}
}

const entriesPerSlice = 8;

function applied(content: Content, batch: Batch): Content {
  const changed = new Map(content);
  for (const [key, value] of batch) {
    if (value === undefined) changed.delete(key);
    else changed.set(key, value);
  }
  return changed;
}

function sortedKeys(content: Content, range: KeyRange): string[] {
  const from = bytesToLatin1(range.from);
  const to = bytesToLatin1(range.to);
  return [...content.keys()].filter((key) => key >= from && key < to).sort();
}
