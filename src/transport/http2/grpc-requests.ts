/**
 * Requests of a stream on their way to the handler that iterates over them. Its bound is the stream's receive
 * window: what is not taken is not consumed, and the client may not send more than the window.
 */
import { assert } from "../../base/assert.js";
import type { RequestStream, RequestTaker } from "../rpc.js";

interface Waiter<Request> {
  readonly resolve: (result: IteratorResult<Request, undefined>) => void;
  readonly reject: (error: Error) => void;
}

interface Queued<Request> {
  readonly request: Request;
  readonly bytes: number;
}

/** A handler that takes each request in the call that brought it. */
interface Taking<Request> {
  readonly take: RequestTaker<Request>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** It wants no more for a while. */
  busy: boolean;
}

export class RequestQueue<Request>
  implements AsyncIterableIterator<Request, undefined>, RequestStream<Request>
{
  private queue: Queued<Request>[] = [];
  private first = 0;
  private waiter: Waiter<Request> | undefined;
  private taking: Taking<Request> | undefined;
  private ended = false;
  private failure: Error | undefined;

  /** `taken` is told the size of each message that the handler has taken. */
  constructor(private readonly taken: (bytes: number) => void) {}

  push(request: Request, bytes: number): void {
    if (this.ended) {
      this.taken(bytes);
      return;
    }
    const { waiter, taking } = this;
    if (taking !== undefined && !taking.busy) {
      this.hand(taking, request, bytes);
      return;
    }
    if (waiter === undefined) {
      this.queue.push({ request, bytes });
      return;
    }
    this.waiter = undefined;
    waiter.resolve({ value: request, done: false });
    this.taken(bytes);
  }

  /** No more requests come; those that wait are still handed out. */
  end(): void {
    this.ended = true;
    this.waiter?.resolve({ value: undefined, done: true });
    this.waiter = undefined;
    this.feed();
  }

  /** The call is over: what waits is dropped, and the handler's iteration throws. */
  fail(error: Error): void {
    this.ended = true;
    this.failure = error;
    this.queue = [];
    this.first = 0;
    this.waiter?.reject(error);
    this.waiter = undefined;
    this.taking?.reject(error);
    this.taking = undefined;
  }

  takeEach(take: RequestTaker<Request>): Promise<void> {
    assert(
      this.waiter === undefined && this.taking === undefined,
      "one handler takes the requests of a stream",
    );
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.taking = { take, resolve, reject, busy: false };
      this.feed();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Request, undefined>> {
    const queued = this.shift();
    if (queued !== undefined) {
      this.taken(queued.bytes);
      return Promise.resolve({ value: queued.request, done: false });
    }
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    assert(this.waiter === undefined, "one handler iterates over the requests of a stream");
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject };
    });
  }

  /** The handler stopped iterating early: later requests are dropped as they come. */
  return(): Promise<IteratorResult<Request, undefined>> {
    this.ended = true;
    // Those before `first` were taken and counted already.
    for (const { bytes } of this.queue.splice(0).slice(this.first)) this.taken(bytes);
    this.first = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  private shift(): Queued<Request> | undefined {
    const queued = this.queue[this.first];
    if (queued === undefined) return undefined;
    this.first++;
    if (this.first === this.queue.length || this.first > 1024) {
      this.queue.splice(0, this.first);
      this.first = 0;
    }
    return queued;
  }

  /** Hands out what waits, as far as the handler takes it. */
  private feed(): void {
    while (this.taking !== undefined && !this.taking.busy) {
      const queued = this.shift();
      if (queued !== undefined) this.hand(this.taking, queued.request, queued.bytes);
      else {
        if (this.ended) this.taking.resolve();
        return;
      }
    }
  }

  private hand(taking: Taking<Request>, request: Request, bytes: number): void {
    this.taken(bytes);
    try {
      const done = taking.take(request);
      if (done !== undefined) this.waitFor(done, taking);
    } catch (error) {
      this.stopTaking(taking, error);
    }
  }

  private waitFor(done: Promise<void>, taking: Taking<Request>): void {
    taking.busy = true;
    done.then(
      () => {
        taking.busy = false;
        this.feed();
      },
      (error: unknown) => this.stopTaking(taking, error),
    );
  }

  /** The handler failed: later requests are dropped as they come. */
  private stopTaking(taking: Taking<Request>, error: unknown): void {
    this.taking = undefined;
    void this.return();
    taking.reject(error);
  }
}
