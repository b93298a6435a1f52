/**
 * Memory for values that wait for their flush, in pages that are used again. V8 learns late that memory outside its
 * heap is free: values in memory of their own, that waits as long as they do, would make it mark the whole heap every
 * ten thousand puts.
 *
 * Values stand one after the other. One that is larger than a page stays in the memory in which it came.
 */
import { allocateBytes, emptyBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";

export class ValuePages {
  private current = emptyBytes;
  private used = 0;
  private readonly spare: Uint8Array[] = [];

  /** The memory that holds the value added last. */
  get page(): Uint8Array {
    return this.current;
  }

  /** Says where in `page`, which may be another one now, the value begins. */
  add(value: Uint8Array): number {
    if (this.used + value.length > this.current.length) this.begin(value);
    const start = this.used;
    if (value !== this.current) this.current.set(value, start);
    this.used = start + value.length;
    return start;
  }

  /** Nothing that was added to `page` is needed any more. */
  release(page: Uint8Array): void {
    if (page === this.current) {
      this.current = emptyBytes;
      this.used = 0;
    }
    // What a value came in is not ours: whoever holds it may still read it.
    if (page.length === limits.pendingPageBytes && this.spare.length < limits.pendingPagesSpare)
      this.spare.push(page);
  }

  private begin(value: Uint8Array): void {
    this.current =
      value.length > limits.pendingPageBytes
        ? value
        : (this.spare.pop() ?? allocateBytes(limits.pendingPageBytes));
    this.used = 0;
  }
}
