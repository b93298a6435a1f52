/**
 * Requests that wait to be proposed: all that arrived in one turn travel together, and those that arrive while
 * there is no leader wait for one (their waiters have a time limit of their own).
 */
import type { RequestId } from "../../base/brand.js";
import { limits } from "../../base/limits.js";

export class ProposalQueue {
  private ids: RequestId[] = [];
  /** In the same order. */
  private waiting: Uint8Array[] = [];
  private bytes = 0;

  get empty(): boolean {
    return this.waiting.length === 0;
  }

  /** False when the queue is full: the request must be refused. */
  add(id: RequestId, data: Uint8Array): boolean {
    if (this.bytes + data.length > limits.uncommittedBytesMax) return false;
    this.ids.push(id);
    this.waiting.push(data);
    this.bytes += data.length;
    return true;
  }

  /** The waiter is gone. Entries that were proposed already stay in the log. */
  abandon(id: RequestId): void {
    const at = this.ids.indexOf(id);
    if (at < 0) return;
    this.bytes -= this.waiting[at]!.length;
    this.ids.splice(at, 1);
    this.waiting.splice(at, 1);
  }

  payloads(): readonly Uint8Array[] {
    return this.waiting;
  }

  /** Empties the queue and gives the ids that were in it. */
  clear(): readonly RequestId[] {
    const { ids } = this;
    this.ids = [];
    this.waiting = [];
    this.bytes = 0;
    return ids;
  }
}
