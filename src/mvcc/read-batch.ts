/**
 * Revisions that are read together, and where their bytes lie. A page of a thousand pairs is read in a few batches,
 * each in three rounds: which revisions (key index), where each lies (revision log), copy. In a round one pair does not
 * wait for the other, so that the processor fetches the memory of many at a time: the pairs of neighbouring keys lie all
 * over the store, and waiting for each in turn would be most of what a page costs.
 */
import { assert } from "../base/assert.js";
import { emptyBytes } from "../base/bytes.js";
import type { KeyRevision } from "./key-leaf.js";

/** What one batch holds: 64 KiB of pairs of 256 bytes stay in the processor's cache between two rounds. */
export const readBatchMax = 250;

/** How far `RevisionLog.locate` goes; it locates one revision at least. */
export interface ReadBudget {
  /** Stop when this many bytes were located. */
  readonly bytesMax: number;
  /** Stop when `RevisionLog.loadedBytes` is this much. */
  readonly loadedBytesMax: number;
}

export class ReadBatch {
  /** What is asked for: `size` revisions, and the keys that have them. */
  size = 0;
  readonly keys: string[] = new Array<string>(readBatchMax).fill("");
  readonly mains = new Float64Array(readBatchMax);
  readonly subs = new Uint32Array(readBatchMax);
  readonly creates = new Float64Array(readBatchMax);
  readonly versions = new Float64Array(readBatchMax);
  /** The first so many have their place: `sources[at]` from `starts[at]` to before `ends[at]`. Never written to. */
  located = 0;
  locatedBytes = 0;
  readonly sources: Uint8Array[] = new Array<Uint8Array>(readBatchMax).fill(emptyBytes);
  readonly starts = new Uint32Array(readBatchMax);
  readonly ends = new Uint32Array(readBatchMax);

  add(key: string, revision: KeyRevision): void {
    assert(this.size < readBatchMax, "no more is asked for than a batch holds");
    const at = this.size++;
    this.keys[at] = key;
    this.mains[at] = revision.main;
    this.subs[at] = revision.sub;
    this.creates[at] = revision.create;
    this.versions[at] = revision.version;
  }

  /** Says where the next revision lies. */
  place(source: Uint8Array, start: number, end: number): void {
    const at = this.located++;
    this.sources[at] = source;
    this.starts[at] = start;
    this.ends[at] = end;
    this.locatedBytes += end - start;
  }

  /** True where nothing is left to locate, or the budget for it is used up. */
  isLocated(loadedBytes: number, budget: ReadBudget): boolean {
    if (this.located === this.size) return true;
    return this.located > 0 && (this.locatedBytes >= budget.bytesMax || loadedBytes >= budget.loadedBytesMax);
  }

  /** The bytes of a located revision. */
  bytesAt(at: number): Uint8Array {
    return this.sources[at]!.subarray(this.starts[at]!, this.ends[at]!);
  }

  /** Forgets all; keeps no memory of others alive. */
  clear(): void {
    this.sources.fill(emptyBytes, 0, this.located);
    this.keys.fill("", 0, this.size);
    this.size = 0;
    this.located = 0;
    this.locatedBytes = 0;
  }
}

/** Locates what is a piece of memory of its own; `at` is its place in the batch. */
export function locateEach(
  batch: ReadBatch,
  budget: ReadBudget,
  {
    log,
    bytesOf,
  }: { readonly log: { readonly loadedBytes: number }; readonly bytesOf: (at: number) => Uint8Array },
): void {
  while (!batch.isLocated(log.loadedBytes, budget)) {
    const bytes = bytesOf(batch.located);
    batch.place(bytes, 0, bytes.length);
  }
}
