/**
 * Who is to be woken when: a binary heap in which everyone knows the own place, so that leaving costs O(log n)
 * too and nobody who is gone stays in memory until his time would have come.
 *
 * Example: woken at 5, 9, 7 → [5, 9, 7]; `add` 6 → [5, 6, 7, 9]; `remove` of 5 → [6, 9, 7].
 */
import { assert } from "../base/assert.js";

export interface Sleeper {
  /** When, on the clock of the owner; changed only while it is in no queue. */
  wakeMs: number;
  /** Place in the queue, which alone writes it; −1 outside. */
  queuePosition: number;
}

export class WakeQueue<Item extends Sleeper> {
  private readonly heap: Item[] = [];

  get size(): number {
    return this.heap.length;
  }

  /** The one to be woken first. */
  get first(): Item | undefined {
    return this.heap[0];
  }

  add(item: Item): void {
    assert(item.queuePosition < 0, "nobody sleeps twice");
    this.heap.push(item);
    this.rise(item, this.heap.length - 1);
  }

  /** One that is in no queue is passed over. */
  remove(item: Item): void {
    const at = item.queuePosition;
    if (at < 0) return;
    assert(this.heap[at] === item, "everyone knows the own place");
    item.queuePosition = -1;
    const last = this.heap.pop()!;
    if (last === item) return;
    this.rise(last, at);
    this.sink(last, last.queuePosition);
  }

  clear(): void {
    for (const item of this.heap) item.queuePosition = -1;
    this.heap.length = 0;
  }

  private rise(item: Item, from: number): void {
    const { heap } = this;
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt]!;
      if (parent.wakeMs <= item.wakeMs) break;
      this.place(parent, at);
      at = parentAt;
    }
    this.place(item, at);
  }

  private sink(item: Item, from: number): void {
    const { heap } = this;
    let at = from;
    while (true) {
      let childAt = 2 * at + 1;
      if (childAt >= heap.length) break;
      const right = heap[childAt + 1];
      if (right !== undefined && right.wakeMs < heap[childAt]!.wakeMs) childAt++;
      const child = heap[childAt]!;
      if (item.wakeMs <= child.wakeMs) break;
      this.place(child, at);
      at = childAt;
    }
    this.place(item, at);
  }

  private place(item: Item, at: number): void {
    this.heap[at] = item;
    item.queuePosition = at;
  }
}
