/**
 * Who waits for what, and for how long. Requests wait in the order in which they came and all have the same
 * time limit, so that those that are due stand at the front: a tick looks at them and no timer is needed each.
 *
 * Tickets are consecutive numbers, so a ring finds a waiter by its place. A Map would do, but one that lives long
 * and changes all the time leaves its outgrown tables in the old generation, each holding on to the next and to
 * everyone who ever waited, until a full collection: young garbage then costs as much as what is alive.
 */

import { assert } from "../base/assert.js";
import { storeError } from "../base/errors.js";
import { Later, type LaterListener } from "../base/later.js";
import { limits } from "../base/limits.js";

/** Names a waiter: the first is 1. */
export type WaitTicket = number;

/** Who is told how it ended. */
export interface Waiting<Value> extends LaterListener<Value> {
  /** On the monotonic clock. */
  readonly startedMs: number;
}

export class Waiter<Value> extends Later<Value> implements Waiting<Value> {
  constructor(readonly startedMs: number) {
    super();
  }
}

/** It doubles as often as needed: up to the requests that come while the oldest waits, or the bound. */
const ringSizeMin = 256;

export class WaitTable<Value, Who extends Waiting<Value> = Waiting<Value>> {
  /** The waiter with ticket t is at place t modulo the size, from `first` to before `next`. */
  private ring: (Who | undefined)[] = new Array(ringSizeMin).fill(undefined);
  private first: WaitTicket = 1;
  private next: WaitTicket = 1;
  private waiting = 0;

  get size(): number {
    return this.waiting;
  }

  /** The ticket of whoever waits next. */
  get nextTicket(): WaitTicket {
    return this.next;
  }

  /** Takes the next ticket. Errors: TooManyRequests when as many wait, or came since the oldest, as memory is meant for. */
  add(waiting: Who): void {
    if (this.waiting >= limits.waitingRequestsMax || this.next - this.first >= limits.waitPlacesMax)
      throw storeError("RequestTooManyRequests");
    if (this.next - this.first === this.ring.length) this.resize(this.ring.length * 2);
    const place = this.next++ % this.ring.length;
    this.waiting++;
    this.ring[place] = waiting;
  }

  /** Gives who waited with `ticket`, if anybody. */
  resolve(ticket: WaitTicket, value: Value): Who | undefined {
    const waiter = this.take(ticket);
    waiter?.resolve(value);
    return waiter;
  }

  /** Gives who waited with `ticket`, if anybody. */
  reject(ticket: WaitTicket, error: unknown): Who | undefined {
    const waiter = this.take(ticket);
    waiter?.reject(error);
    return waiter;
  }

  /** Rejects everyone who began at or before `startedMs`; gives their tickets. `errorFor` sees each. */
  expire(startedMs: number, errorFor: (waiting: Who) => unknown): readonly WaitTicket[] {
    const expired: WaitTicket[] = [];
    while (this.waiting > 0) {
      // Someone waits, so the oldest ticket that is kept is theirs.
      const ticket = this.first;
      const oldest = this.ring[ticket % this.ring.length]!;
      if (oldest.startedMs > startedMs) break;
      expired.push(ticket);
      this.reject(ticket, errorFor(oldest));
    }
    return expired;
  }

  rejectAll(error: unknown): void {
    while (this.waiting > 0) this.reject(this.first, error);
  }

  private take(ticket: WaitTicket): Who | undefined {
    if (ticket < this.first || ticket >= this.next) return undefined;
    const { ring } = this;
    const place = ticket % ring.length;
    const waiter = ring[place];
    if (waiter === undefined) return undefined;
    ring[place] = undefined;
    this.waiting--;
    if (ticket === this.first) this.passEmptyPlaces();
    return waiter;
  }

  private passEmptyPlaces(): void {
    const { ring } = this;
    while (this.first < this.next && ring[this.first % ring.length] === undefined) this.first++;
    if (this.waiting === 0 && ring.length > ringSizeMin * 64) this.resize(ringSizeMin);
  }

  private resize(size: number): void {
    const resized: (Who | undefined)[] = new Array(size).fill(undefined);
    assert(this.next - this.first <= size, "everyone who waits has a place");
    for (let ticket = this.first; ticket < this.next; ticket++) {
      resized[ticket % size] = this.ring[ticket % this.ring.length];
    }
    this.ring = resized;
  }
}
