/**
 * One call of a streaming service at a simulated member: requests and answers as bytes, each on its way for a
 * while, in order, as in a stream of HTTP/2. What the client has not read fills a window; when that is full the
 * service is told that its client is behind. The service itself (api/) is the real one.
 */
import { concatBytes, copyBytes } from "../../src/base/bytes.js";
import { StoreError } from "../../src/base/errors.js";
import { type CallContext, RpcStatus, StatusCode } from "../../src/transport/rpc.js";
import type { MemberProcess, Running } from "./member-process.js";
import type { Scheduler } from "./scheduler.js";
import type { AnyStream } from "./services.js";
import type { Trace } from "./trace.js";

/** An answer as it was written, with what was true of its member then. */
export interface Written {
  readonly bytes: Uint8Array;
  /** Newest compaction that the member had applied. */
  readonly compacted: number;
  /** The service had been told that its client is behind. */
  readonly whileBehind: boolean;
}

export interface StreamCallDeps {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  /** An answer reached the client, which reads. */
  readonly received: (answer: Written) => void;
  /** The member ended the call. */
  readonly ended: () => void;
}

/** Way of a request or an answer. */
const hopUs = 150;

export class StreamCall implements CallContext {
  readonly peer = "simulated";
  readonly certificateCommonName = undefined;
  readonly timeoutMs = undefined;
  cancelled = false;
  private readonly requests: Uint8Array[] = [];
  private readonly arrived: Uint8Array[] = [];
  private wakeService: () => void = () => {};
  private readonly answers: Written[] = [];
  private unread: Written[] = [];
  private reading = true;
  private windowUsed = 0;
  private roomWaiter: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  private readonly cancelListeners: (() => void)[] = [];
  private left = false;

  constructor(
    readonly process: MemberProcess,
    private readonly options: { readonly windowBytes: number },
    private readonly deps: StreamCallDeps,
  ) {}

  /** Opens the call at its member, which must be running. */
  start(methodOf: (running: Running) => AnyStream): void {
    this.atMember(() => {
      const method = methodOf(this.process.running!);
      const sink = {
        write: (response: unknown) => this.write(method.encode(response)),
        drained: () => this.drained(),
      };
      // A failure that is not expected is nobody's: the run ends with it.
      method.handle(this.incoming(method), this, sink).then(
        () => this.ended(),
        (error: unknown) => {
          if (!(error instanceof StoreError || error instanceof RpcStatus)) throw error;
          this.ended();
        },
      );
    });
  }

  /** Sends a request. */
  send(bytes: Uint8Array): void {
    this.requests.push(bytes);
    this.atMember(() => {
      this.arrived.push(this.requests.shift()!);
      this.wakeService();
    });
  }

  /** The client reads nothing more until `read`. */
  pauseReading(): void {
    this.reading = false;
  }

  read(): void {
    this.reading = true;
    const { unread } = this;
    this.unread = [];
    for (const answer of unread) this.take(answer);
  }

  /** The client is gone: it hears nothing more, and the service learns of it. */
  leave(): void {
    this.left = true;
    this.atMember(() => {
      this.cancelled = true;
      this.roomWaiter?.reject(new RpcStatus(StatusCode.Canceled, "context canceled"));
      this.roomWaiter = undefined;
      for (const listener of this.cancelListeners.splice(0)) listener();
      this.wakeService();
    });
  }

  metadata(): undefined {
    return undefined;
  }

  onCancel(listener: () => void): void {
    if (this.cancelled) listener();
    else this.cancelListeners.push(listener);
  }

  private atMember(action: () => void): void {
    this.deps.scheduler.after(hopUs, this.process, action);
  }

  private ended(): void {
    if (!this.left && this.process.alive) this.deps.scheduler.after(hopUs, undefined, this.deps.ended);
  }

  private async *incoming(method: AnyStream): AsyncIterable<unknown> {
    while (!this.cancelled) {
      const next = this.arrived.shift();
      if (next !== undefined) yield method.decode(next);
      else {
        await new Promise<void>((resolve) => {
          this.wakeService = resolve;
        });
      }
    }
  }

  private write(encoded: Uint8Array | readonly Uint8Array[]): boolean {
    const bytes = encoded instanceof Uint8Array ? copyBytes(encoded) : concatBytes(encoded);
    const { scheduler, trace } = this.deps;
    trace.bytes(bytes);
    const compacted = this.process.running!.core.state.deps.mvcc.compactedRevision;
    this.answers.push({ bytes, compacted, whileBehind: this.roomWaiter !== undefined });
    this.windowUsed += bytes.length;
    scheduler.after(hopUs, undefined, () => this.arriveAtClient());
    return this.hasRoom;
  }

  private get hasRoom(): boolean {
    return this.windowUsed < this.options.windowBytes;
  }

  private drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.roomWaiter = { resolve, reject };
    });
  }

  private arriveAtClient(): void {
    const answer = this.answers.shift()!;
    if (this.left) return;
    if (this.reading) this.take(answer);
    else this.unread.push(answer);
  }

  private take(answer: Written): void {
    if (this.left) return;
    this.windowUsed -= answer.bytes.length;
    const { roomWaiter } = this;
    if (roomWaiter !== undefined && this.hasRoom) {
      this.atMember(() => {
        if (this.roomWaiter !== roomWaiter) return;
        this.roomWaiter = undefined;
        roomWaiter.resolve();
      });
    }
    this.deps.received(answer);
  }
}
