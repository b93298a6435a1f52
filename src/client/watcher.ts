/**
 * One watch as its reader sees it: batches of events in the order of their revisions, each exactly once, over as
 * many streams as it takes. `nextRevision` is the whole memory that this needs: everything below it was handed
 * out or waits in the backlog, everything from it on is still to come.
 */
import { limits } from "../base/limits.js";
import type { ResponseHeader, WatchCreateRequest, WatchResponse } from "../gen/etcdserver.js";
import { type Event, Event_EventType, type KeyValue } from "../gen/kv.js";
import { BatchQueue } from "./batch-queue.js";
import type { WatchCanceledError } from "./errors.js";
import { GrpcCode, QuorateClientError } from "./errors.js";

export interface WatchEvent {
  readonly type: "put" | "delete";
  /** The pair as it is from then on; of a deletion only key and `modRevision`, its revision, have a meaning. */
  readonly kv: KeyValue;
  /** What the key held before: with `prevKv`, and unless it was new or the history of it is compacted. */
  readonly prevKv: KeyValue | undefined;
}

/** Whole revisions: never a part of a transaction. */
export interface WatchBatch {
  /** From the server; its revision is at or above those of the events. */
  readonly header: ResponseHeader;
  /** Ascending by revision. Empty for a progress notification: all up to `header.revision` was delivered. */
  readonly events: readonly WatchEvent[];
}

/** What a watcher asks of the one that it belongs to. */
export interface WatcherOwner {
  /** The backlog grew too large: nothing more must come before `unpark`. */
  park(watcher: Watcher): void;
  /** The backlog is empty again: go on at `nextRevision`. */
  unpark(watcher: Watcher): void;
  /** Ended, by its reader or otherwise: the server can forget it. */
  ended(watcher: Watcher): void;
}

export interface WatcherOptions {
  /** Without start revision and id. */
  readonly request: Omit<WatchCreateRequest, "startRevision" | "watchId">;
  /** 0: from the time on at which the server takes it. */
  readonly startRevision: bigint;
  readonly wantsProgress: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * `for await (const { events } of watch)`. Leaving the loop, `close()`, or the end of an `await using` block ends the
 * watch. Errors, thrown by the loop: `WatchCanceledError` where the server ended it (compacted, no permission),
 * after what came before it; `QuorateClientError` Canceled when the signal was aborted or the client closed.
 */
export class Watcher implements AsyncIterable<WatchBatch>, AsyncDisposable {
  private next: bigint;
  private first: bigint | undefined;
  private fragments: Event[] = [];
  private readonly backlog = new BatchQueue();
  private isParked = false;
  private end: { readonly error: QuorateClientError | undefined } | undefined;
  private wakers: (() => void)[] = [];
  private readonly onAbort = (): void => this.abort();

  constructor(
    readonly options: WatcherOptions,
    private readonly owner: WatcherOwner,
  ) {
    this.next = options.startRevision;
    options.signal?.addEventListener("abort", this.onAbort);
  }

  /** The lowest revision not delivered yet; 0 while it is unknown where the watch begins. */
  get nextRevision(): bigint {
    return this.next;
  }

  get hasEnded(): boolean {
    return this.end !== undefined;
  }

  /**
   * Resolves, when the server has taken the watch, with the first revision that it sees: a change after that
   * cannot be missed. Errors: as of the loop.
   */
  async ready(): Promise<bigint> {
    while (this.first === undefined) {
      if (this.end !== undefined) throw this.end.error ?? canceled("the watch is closed");
      await this.change();
    }
    return this.first;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch, void, undefined> {
    try {
      for (;;) {
        const batch = this.take();
        if (batch !== undefined) yield batch;
        else if (this.end === undefined) await this.change();
        else if (this.end.error === undefined) return;
        else throw this.end.error;
      }
    } finally {
      this.drop(undefined);
    }
  }

  /** Ends the watch; a loop over it throws Canceled. */
  abort(): void {
    this.drop(canceled("context canceled"));
  }

  /** Ends the watch; a loop over it ends without an error. */
  close(): void {
    this.drop(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** The server has taken it, at the first time or again. `revision`: the store's when it did. */
  created(revision: bigint): void {
    // Without a start revision a watch begins after the revision that its answer tells (etcd's watch API).
    if (this.next === 0n) this.next = revision + 1n;
    this.first ??= this.next;
    this.fragments = [];
    this.wake();
  }

  /** An answer with events, or a progress notification of this watch. */
  receive(response: WatchResponse): void {
    this.fragments.push(...response.events);
    if (response.fragment) return;
    const events = this.fragments.filter((event) => (event.kv?.modRevision ?? 0n) >= this.next);
    const isProgress = this.fragments.length === 0;
    this.fragments = [];
    const header = response.header!;
    if (isProgress) {
      if (header.revision >= this.next) this.next = header.revision + 1n;
      if (this.options.wantsProgress) this.add({ header, events: [] });
      return;
    }
    if (events.length === 0) return;
    this.next = events.at(-1)!.kv!.modRevision + 1n;
    this.add({ header, events: events.map(toWatchEvent) });
  }

  /**
   * An asked-for notification of progress for the whole stream. It is handed on, but not resumed after: with some
   * releases (etcd before 3.4.25 and 3.5.8) such a notification may overtake events.
   */
  progressed(header: ResponseHeader): void {
    if (header.revision + 1n >= this.next) this.add({ header, events: [] });
  }

  /** What is left of an answer in fragments when its stream broke will come again as a whole. */
  interrupted(): void {
    this.fragments = [];
  }

  /** The end, after what is in the backlog. */
  fail(error: QuorateClientError | WatchCanceledError): void {
    this.finish(error);
  }

  private take(): WatchBatch | undefined {
    const batch = this.backlog.shift();
    if (this.isParked && this.backlog.isEmpty && this.end === undefined) {
      this.isParked = false;
      this.owner.unpark(this);
    }
    return batch;
  }

  private add(batch: WatchBatch): void {
    if (this.end !== undefined) return;
    this.backlog.push(batch);
    if (this.backlog.bytes > limits.clientWatchBacklogBytesMax && !this.isParked) {
      this.isParked = true;
      this.owner.park(this);
    }
    this.wake();
  }

  private drop(error: QuorateClientError | undefined): void {
    if (this.end === undefined) this.backlog.clear();
    this.finish(error);
  }

  private finish(error: QuorateClientError | undefined): void {
    if (this.end !== undefined) return;
    this.end = { error };
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.owner.ended(this);
    this.wake();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.wakers.push(resolve));
  }

  private wake(): void {
    const wakers = this.wakers;
    this.wakers = [];
    for (const waker of wakers) waker();
  }
}

function canceled(text: string): QuorateClientError {
  return new QuorateClientError(GrpcCode.Canceled, text, false, undefined);
}

function toWatchEvent(event: Event): WatchEvent {
  const type = event.type === Event_EventType.DELETE ? "delete" : "put";
  return { type, kv: event.kv!, prevKv: event.prevKv };
}
