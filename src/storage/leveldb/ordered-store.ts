/**
 * What the block code needs of an ordered key-value store with atomic batches. LevelDB is behind it in
 * production (classic-level-store.ts), plain memory and a simulated disk in tests.
 */

export interface StoreOperation {
  readonly key: Uint8Array;
  /** Undefined deletes the key. */
  readonly value: Uint8Array | undefined;
}

export type StoreEntry = readonly [key: Uint8Array, value: Uint8Array];

/** Keys from `from` up to, without, `to`, in byte order. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** A past state that later batches do not change. */
export interface StoreView {
  /** Safe to call twice. */
  close(): Promise<void>;
}

export interface OrderedStore {
  /** Where it is, for error texts. */
  readonly location: string;
  /** The value in memory of its own, at once; undefined when absent. */
  getSync(key: Uint8Array): Uint8Array | undefined;
  /**
   * All or nothing, in order. `sync` true: on stable storage when it resolves, together with every batch before
   * it. `sync` false: survives the end of the process, not a power cut. Keys and values must not change until
   * it resolves.
   */
  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void>;
  /** The state now. */
  view(): StoreView;
  /**
   * Entries of a range in slices of about limits.blockReadBytesMax, of `view` or else of the moment at which the
   * first slice is asked for. A damaged store may end the pass early: the caller knows what must be there.
   */
  entries(range: KeyRange, view: StoreView | undefined): AsyncIterable<readonly StoreEntry[]>;
  /** The same for keys alone, without reading the values. */
  keys(range: KeyRange): AsyncIterable<readonly Uint8Array[]>;
  /** Drops what later batches replaced or deleted, from disk. */
  reclaim(range: KeyRange): Promise<void>;
  /** Gives back the memory that a pass over all of it left. Nothing else may be under way, nor any view open. */
  releaseMemory(): Promise<void>;
  /** Bytes of all its files. */
  diskBytes(): Promise<number>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}
