/** Batches that wait for a slow reader, and how much memory they take. */
import type { WatchBatch } from "./watcher.js";

/** Memory of a batch, and of an event, beside its bytes, about. */
const overheadBytes = 200;

/** Taken from the front by an index, as moving a long array up at each step would cost more than the batches. */
export class BatchQueue {
  private batches: WatchBatch[] = [];
  private head = 0;
  private sizeBytes = 0;

  get bytes(): number {
    return this.sizeBytes;
  }

  get isEmpty(): boolean {
    return this.head === this.batches.length;
  }

  push(batch: WatchBatch): void {
    this.batches.push(batch);
    this.sizeBytes += sizeOf(batch);
  }

  shift(): WatchBatch | undefined {
    const batch = this.batches[this.head];
    if (batch === undefined) return undefined;
    this.head++;
    this.sizeBytes -= sizeOf(batch);
    // What was taken is let go of when it is half of all: one move for each batch on the whole.
    if (this.head * 2 >= this.batches.length) {
      this.batches = this.batches.slice(this.head);
      this.head = 0;
    }
    return batch;
  }

  clear(): void {
    this.batches = [];
    this.head = 0;
    this.sizeBytes = 0;
  }
}

function sizeOf({ events }: WatchBatch): number {
  let bytes = overheadBytes;
  for (const { kv, prevKv } of events) {
    bytes += overheadBytes + kv.key.length + kv.value.length + (prevKv?.value.length ?? 0);
  }
  return bytes;
}
