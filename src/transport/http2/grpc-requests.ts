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

/** The end of `takeEach`. */
interface TakingEnd {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Whose requests they are. */
export interface RequestOwner<Request> {
  /** The handler has taken a message of so many bytes. */
  requestTaken(bytes: number): void;
  /**
   * Written by the queue: takes the next request at once, which may then pass the queue by. Undefined while some wait,
   * or the handler does not take each or is busy.
   */
  idleTaker: RequestTaker<Request> | undefined;
}

export class RequestQueue<Request>
  implements AsyncIterableIterator<Request, undefined>, RequestStream<Request>
{
  /** A handler that takes each request in the call that brought it. */
  private taker: RequestTaker<Request> | undefined;
  /** It wants no more for a while. */
  private takerBusy = false;
  private queue: Queued<Request>[] = [];
  private first = 0;
  private waiter: Waiter<Request> | undefined;
  private takingEnd: TakingEnd | undefined;
  private ended = false;
  private failure: Error | undefined;

  constructor(private readonly owner: RequestOwner<Request>) {}

  push(request: Request, bytes: number): void {
    const { idleTaker } = this.owner;
    if (idleTaker !== undefined) {
      this.hand(idleTaker, request, bytes);
      return;
    }
    if (this.ended) {
      this.owner.requestTaken(bytes);
      return;
    }
    const { waiter } = this;
    if (waiter === undefined) {
      this.queue.push({ request, bytes });
      return;
    }
    this.waiter = undefined;
    waiter.resolve({ value: request, done: false });
    this.owner.requestTaken(bytes);
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
    if (this.taker !== undefined) this.takingEnd?.reject(error);
    this.taker = undefined;
    this.owner.idleTaker = undefined;
  }

  takeEach(taker: RequestTaker<Request>): Promise<void> {
    assert(
      this.waiter === undefined && this.taker === undefined,
      "one handler takes the requests of a stream",
    );
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.taker = taker;
      this.takingEnd = { resolve, reject };
      this.feed();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Request, undefined>> {
    const queued = this.shift();
    if (queued !== undefined) {
      this.owner.requestTaken(queued.bytes);
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
    for (const { bytes } of this.queue.splice(0).slice(this.first)) this.owner.requestTaken(bytes);
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
    while (this.taker !== undefined && !this.takerBusy) {
      const queued = this.shift();
      if (queued !== undefined) this.hand(this.taker, queued.request, queued.bytes);
      else {
        this.owner.idleTaker = this.taker;
        if (this.ended) this.takingEnd?.resolve();
        return;
      }
    }
  }

  private hand(taker: RequestTaker<Request>, request: Request, bytes: number): void {
    this.owner.requestTaken(bytes);
    try {
      const done = taker.take(request);
      if (done !== undefined) this.pauseUntil(done);
    } catch (error) {
      this.stopTaking(error);
    }
  }

  /** The handler wants no more before `done`. */
  pauseUntil(done: Promise<void>): void {
    this.takerBusy = true;
    this.owner.idleTaker = undefined;
    done.then(
      () => {
        this.takerBusy = false;
        this.feed();
      },
      (error: unknown) => this.stopTaking(error),
    );
  }

  /** The handler failed: later requests are dropped as they come. */
  private stopTaking(error: unknown): void {
    this.taker = undefined;
    this.owner.idleTaker = undefined;
    void this.return();
    this.takingEnd?.reject(error);
  }
}
