/**
 * Who waits for what, and for how long. Requests wait in the order in which they came and all have the same
 * time limit, so that those that are due stand at the front: a tick looks at them and no timer is needed each.
 */

import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";

interface Waiter<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
  /** On the monotonic clock. */
  readonly startedMs: number;
}

export class WaitTable<Key, Value> {
  private readonly waiting = new Map<Key, Waiter<Value>>();

  get size(): number {
    return this.waiting.size;
  }

  /** Errors: TooManyRequests when as many wait as memory is meant for. */
  wait(key: Key, startedMs: number): Promise<Value> {
    if (this.waiting.size >= limits.waitingRequestsMax) throw storeError("RequestTooManyRequests");
    return new Promise<Value>((resolve, reject) => this.waiting.set(key, { resolve, reject, startedMs }));
  }

  /** False where nobody waits for `key` here. */
  resolve(key: Key, value: Value): boolean {
    const waiter = this.waiting.get(key);
    if (waiter === undefined) return false;
    this.waiting.delete(key);
    waiter.resolve(value);
    return true;
  }

  reject(key: Key, error: unknown): void {
    const waiter = this.waiting.get(key);
    if (waiter === undefined) return;
    this.waiting.delete(key);
    waiter.reject(error);
  }

  /** Rejects everyone who began at or before `startedMs`; gives their keys. `errorFor` sees when each began. */
  expire(startedMs: number, errorFor: (startedMs: number) => unknown): readonly Key[] {
    const expired: Key[] = [];
    for (const [key, waiter] of this.waiting) {
      if (waiter.startedMs > startedMs) break;
      expired.push(key);
      this.waiting.delete(key);
      waiter.reject(errorFor(waiter.startedMs));
    }
    return expired;
  }

  rejectAll(error: unknown): void {
    const everyone = [...this.waiting.values()];
    this.waiting.clear();
    for (const waiter of everyone) waiter.reject(error);
  }
}
