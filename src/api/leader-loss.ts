/**
 * Ends the streams of clients that asked for it (metadata "hasleader") when no leader was known for three election
 * timeouts on end, as etcd does: a client that watches a member which is cut off turns to another one.
 */
import { type StoreError, storeError } from "../base/errors.js";
import type { Member } from "../member/contract.js";
import type { Clock } from "../ports/clock.js";
import { type CallContext, type RequestStream, type ResponseSink, takeRequests } from "../transport/rpc.js";

export interface LeaderLossDeps {
  readonly member: Pick<Member, "leader">;
  readonly clock: Clock;
}

/** Looks, one each election timeout, that in a row find no leader; etcd's maxNoLeaderCnt. */
const looksMax = 3;

export class LeaderLoss {
  private readonly streams = new Set<BoundStream>();
  private looksWithout = 0;
  private stopLooking: (() => void) | undefined;

  constructor(
    private readonly options: { readonly electionMs: number },
    private readonly deps: LeaderLossDeps,
  ) {}

  /** Runs a handler on a stream that ends with NoLeader when the leader is lost. */
  async run(
    call: CallContext,
    sink: ResponseSink<unknown>,
    handle: (stream: BoundStream) => Promise<void>,
  ): Promise<void> {
    const stream = new BoundStream(call, sink);
    this.add(stream);
    try {
      await handle(stream);
    } finally {
      this.remove(stream);
      // Whatever the handler made of it: this is why the stream is over.
      stream.throwIfEnded();
    }
  }

  private add(stream: BoundStream): void {
    this.streams.add(stream);
    this.stopLooking ??= this.deps.clock.every(this.options.electionMs, () => this.look());
  }

  private remove(stream: BoundStream): void {
    this.streams.delete(stream);
    if (this.streams.size > 0) return;
    this.stopLooking?.();
    this.stopLooking = undefined;
    this.looksWithout = 0;
  }

  private look(): void {
    this.looksWithout = this.deps.member.leader === 0n ? this.looksWithout + 1 : 0;
    if (this.looksWithout < looksMax) return;
    for (const stream of this.streams) stream.end(storeError("NoLeader"));
  }
}

/** A stream whose handler sees its end when the call is over or `end` is called, whichever is first. */
export class BoundStream implements CallContext, ResponseSink<unknown> {
  private failure: StoreError | undefined;
  /** To be told of the end: whoever waits for a request or for room, and the handler's own listeners. */
  private readonly enders = new Set<(error: StoreError) => void>();

  constructor(
    private readonly call: CallContext,
    private readonly sink: ResponseSink<unknown>,
  ) {}

  get peer(): string {
    return this.call.peer;
  }

  get certificateCommonName(): string | undefined {
    return this.call.certificateCommonName;
  }

  get timeoutMs(): number | undefined {
    return this.call.timeoutMs;
  }

  get cancelled(): boolean {
    return this.failure !== undefined || this.call.cancelled;
  }

  metadata(key: string): string | undefined {
    return this.call.metadata(key);
  }

  onCancel(listener: () => void): void {
    let told = false;
    const once = (): void => {
      if (told) return;
      told = true;
      this.enders.delete(once);
      listener();
    };
    if (this.failure !== undefined) once();
    else {
      this.enders.add(once);
      this.call.onCancel(once);
    }
  }

  write(response: unknown): boolean {
    return this.failure === undefined && this.sink.write(response);
  }

  drained(): Promise<void> {
    return this.orEnd(this.sink.drained());
  }

  /** The requests, until the end. */
  requests(from: AsyncIterable<unknown>): RequestStream<unknown> {
    return {
      [Symbol.asyncIterator]: () => this.iterate(from),
      takeEach: (taker) => {
        const take = (request: unknown) => (this.cancelled ? undefined : taker.take(request));
        return this.orEnd(takeRequests(from, { take }));
      },
    };
  }

  private async *iterate(from: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    const iterator = from[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.orEnd(iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  end(error: StoreError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const ender of this.enders) ender(error);
  }

  throwIfEnded(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private orEnd<Value>(promise: Promise<Value>): Promise<Value> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.enders.add(reject);
      promise.then(resolve, reject).finally(() => this.enders.delete(reject));
    });
  }
}
