/**
 * A call that a server serves: its deadline, its cancellation, its end. What differs between one request and a
 * stream of them is in grpc-unary-call.ts and grpc-stream-call.ts.
 */
import { AssertionError } from "../../base/assert.js";
import { partsBytes } from "../../base/bytes.js";
import type { CallMeter } from "../call-meter.js";
import { type CallContext, type MethodCodec, type ResponseSink, RpcStatus, StatusCode } from "../rpc.js";
import { compressMessage } from "./compression.js";
import type { Connection } from "./connection.js";
import { DrainWaiters } from "./grpc-drain.js";
import { messagePrefix, messagePrefixBytes } from "./grpc-framing.js";
import type { GrpcService, PeerIdentity } from "./grpc-service.js";
import { parseTimeoutMs, statusTrailers, trailersOnly } from "./grpc-status.js";
import { encodeHeaders } from "./hpack-encoder.js";
import type { HeaderField } from "./hpack-table.js";
import type { ErrorCode } from "./protocol.js";
import type { RequestHead } from "./request-head.js";
import type { HeaderBlock, Stream, StreamHandler } from "./stream.js";

/** What all calls of a connection share. */
export interface CallSession {
  readonly service: GrpcService;
  readonly connection: Connection;
  readonly peer: PeerIdentity;
}

export interface CallDeps {
  readonly session: CallSession;
  readonly stream: Stream;
  readonly meter: CallMeter;
}

/** Longest delay that a timer of Node.js can take; a deadline behind it is none. */
const timerMsMax = 0x7fff_ffff;

const gzipHead = encodeHeaders([
  [":status", "200"],
  ["content-type", "application/grpc"],
  ["grpc-encoding", "gzip"],
]);

/** What each message of a stream needs stands first, together: see FlowWindows. */
export abstract class GrpcCall<Request, Response>
  implements StreamHandler, CallContext, ResponseSink<Response>
{
  /** Nothing can be sent any more. */
  protected over = false;
  private headSent = false;
  /** Known from the first response on. */
  private compressed: boolean | undefined;
  protected readonly session: CallSession;
  protected readonly stream: Stream;
  private readonly meter: CallMeter;
  cancelled = false;
  private cancelListeners: (() => void)[] | undefined;
  private drainWaiters: DrainWaiters | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    protected readonly codec: MethodCodec<Request, Response>,
    protected readonly head: RequestHead,
    deps: CallDeps,
  ) {
    this.session = deps.session;
    this.stream = deps.stream;
    this.meter = deps.meter;
  }

  abstract data(bytes: Buffer, start: number, end: number, endStream: boolean): void;
  /** The client has ended its side without a last DATA frame. */
  protected abstract requestsEnded(): void;

  get peer(): string {
    return this.session.peer.address;
  }

  get certificateCommonName(): string | undefined {
    return this.session.peer.certificateCommonName;
  }

  get timeoutMs(): number | undefined {
    const text = this.metadata("grpc-timeout");
    return text === undefined ? undefined : parseTimeoutMs(text);
  }

  metadata(key: string): string | undefined {
    const { fields } = this.head;
    for (let i = 0; i < fields.length; i++) if (fields[i]!.name === key) return fields[i]!.value;
    // The authority of a request is metadata for grpc-go's handlers too.
    return key === ":authority" ? this.head.authority : undefined;
  }

  onCancel(listener: () => void): void {
    if (this.cancelled) listener();
    else {
      this.cancelListeners ??= [];
      this.cancelListeners.push(listener);
    }
  }

  /** Trailers of a request: gRPC has none, but they may end it. */
  headers(_fields: readonly HeaderField[], endStream: boolean): void {
    if (endStream) this.requestsEnded();
  }

  closed(_code: ErrorCode | undefined): void {
    if (this.over) return;
    this.over = true;
    this.countEnd(StatusCode.Canceled);
    this.cancel();
  }

  /** Ends the call from the server's side; the handler is told as if the client had gone. */
  abort(cause: unknown): void {
    if (this.over) return;
    this.fail(cause);
    this.cancel();
  }

  /** Starts the clock of `grpc-timeout`. */
  protected armDeadline(): void {
    const { timeoutMs } = this;
    if (timeoutMs === undefined || timeoutMs > timerMsMax || this.over) return;
    this.timer = setTimeout(
      () => this.abort(new RpcStatus(StatusCode.DeadlineExceeded, "context deadline exceeded")),
      Math.ceil(timeoutMs),
    );
  }

  protected decode(bytes: Uint8Array, failureText: string): Request {
    try {
      return this.codec.decode(bytes);
    } catch (error) {
      throw decodeFailure(error, failureText);
    }
  }

  /** Sends the one response of a call and ends it well. */
  protected answer(response: Response): void {
    if (this.over) return;
    const parts = this.codec.encode(response);
    const bytes = partsBytes(parts);
    if (this.compresses) {
      this.send(parts, bytes);
      this.finish();
      return;
    }
    this.end(StatusCode.Ok);
    const { sender } = this.session.connection;
    this.countSent(bytes);
    const total = messagePrefixBytes + bytes;
    sender.answer(this.stream, "grpcHead", messagePrefix(bytes, false), parts, total, "grpcOkTrailers");
  }

  /** Sends one of many responses. False when the client is behind, or the call over. */
  write(response: Response): boolean {
    if (this.over) return false;
    const parts = this.codec.encode(response);
    return this.send(parts, partsBytes(parts));
  }

  drained(): Promise<void> {
    if (this.cancelled) return Promise.reject(cancelledStatus());
    if (this.stream.outbox?.writerWaits !== true) return Promise.resolve();
    this.drainWaiters ??= new DrainWaiters();
    return this.drainWaiters.wait();
  }

  drain(): void {
    this.drainWaiters?.resolve();
  }

  /** Ends the call well. */
  protected finish(): void {
    if (this.over) return;
    this.sendHead();
    this.end(StatusCode.Ok);
    this.session.connection.sender.end(this.stream, "grpcOkTrailers");
  }

  /** Ends the call with what its handler threw, or with a status of ours. */
  protected fail(error: unknown): void {
    if (this.over) return;
    const { service, connection } = this.session;
    const status = error instanceof RpcStatus ? error : service.options.mapError(error);
    this.end(status.code);
    connection.sender.end(this.stream, this.headSent ? statusTrailers(status) : trailersOnly(status));
  }

  protected get encoding(): string {
    return this.metadata("grpc-encoding") ?? "";
  }

  /** A client that compresses its requests gets compressed responses, as with grpc-go. */
  private get compresses(): boolean {
    this.compressed ??= this.encoding === "gzip";
    return this.compressed;
  }

  private send(parts: Uint8Array | readonly Uint8Array[], bytes: number): boolean {
    this.sendHead();
    this.countSent(bytes);
    const packed = this.compresses ? compressMessage(parts, bytes) : undefined;
    const body = packed ?? parts;
    const bodyBytes = packed?.length ?? bytes;
    const prefix = messagePrefix(bodyBytes, packed !== undefined);
    return this.session.connection.sender.data(this.stream, prefix, body, messagePrefixBytes + bodyBytes);
  }

  private sendHead(): void {
    if (this.headSent) return;
    this.headSent = true;
    const head: HeaderBlock = this.compresses ? gzipHead : "grpcHead";
    this.session.connection.sender.head(this.stream, head);
  }

  private end(code: StatusCode): void {
    this.over = true;
    this.countEnd(code);
    clearTimeout(this.timer);
  }

  private cancel(): void {
    if (this.cancelled) return;
    clearTimeout(this.timer);
    this.cancelled = true;
    const listeners = this.cancelListeners;
    this.cancelListeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
    this.drainWaiters?.reject(cancelledStatus());
    this.onCancelled();
  }

  protected countReceived(bytes: number): void {
    const { meter } = this;
    meter.received.add();
    meter.receivedBytes.add(bytes);
  }

  private countSent(bytes: number): void {
    const { meter } = this;
    meter.sent.add();
    meter.sentBytes.add(bytes);
  }

  private countEnd(code: StatusCode): void {
    this.meter.handled[code]?.add();
  }

  /** For what waits inside the call itself. */
  protected onCancelled(): void {}
}

/** What a handler sees that waits on a call which is over. */
export function cancelledStatus(): RpcStatus {
  return new RpcStatus(StatusCode.Canceled, "context canceled");
}

/** What a client is told whose request can not be decoded. */
export function decodeFailure(error: unknown, failureText: string): RpcStatus {
  if (error instanceof AssertionError) throw error;
  const text = error instanceof Error ? error.message : String(error);
  return new RpcStatus(StatusCode.Internal, `${failureText}: ${text}`);
}
