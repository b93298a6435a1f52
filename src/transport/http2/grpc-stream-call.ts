/** A call with a stream of requests: bidirectional, and client streaming. */
import { type BidiMethod, type RequestTaker, RpcStatus, StatusCode } from "../rpc.js";
import { decompressMessage } from "./compression.js";
import { type CallDeps, cancelledStatus, decodeFailure, GrpcCall } from "./grpc-call.js";
import { checkMessageSize, isWholeMessage, MessageReader, messagePrefixBytes } from "./grpc-framing.js";
import { type RequestOwner, RequestQueue } from "./grpc-requests.js";
import type { RequestHead } from "./request-head.js";

const decodeFailureText = "grpc: failed to unmarshal the received message";

export class BidiCall<Request, Response>
  extends GrpcCall<Request, Response>
  implements RequestOwner<Request>
{
  idleTaker: RequestTaker<Request> | undefined;
  /** Made when a message does not come in a frame of its own. */
  private reader: MessageReader | undefined;
  private readonly requests: RequestQueue<Request>;

  constructor(
    private readonly method: BidiMethod<Request, Response>,
    head: RequestHead,
    deps: CallDeps,
  ) {
    super(method, head, deps);
    this.requests = new RequestQueue(this);
  }

  /** Runs the handler; its requests come later. */
  start(endStream: boolean): void {
    this.armDeadline();
    if (endStream) this.requests.end();
    void this.run();
  }

  override data(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.over) return;
    try {
      if (!this.takeInPlace(bytes, start, end)) this.read(bytes, start, end, endStream);
    } catch (error) {
      this.abort(error);
      return;
    }
    if (endStream) this.requestsEnded();
  }

  /** What the handler has taken, the client may send again: that is all the back-pressure there is. */
  requestTaken(bytes: number): void {
    if (!this.over) this.session.connection.receiving.consume(this.stream, bytes);
  }

  protected override requestsEnded(): void {
    if (this.betweenMessages) this.requests.end();
    else this.abort(new RpcStatus(StatusCode.Internal, "unexpected EOF"));
  }

  protected override onCancelled(): void {
    this.requests.fail(cancelledStatus());
  }

  private get betweenMessages(): boolean {
    return this.reader?.atBoundary ?? true;
  }

  /** The common case, where the method allows for it: a frame that is exactly one message. */
  private takeInPlace(bytes: Buffer, start: number, end: number): boolean {
    const { decodeInPlace } = this.method;
    if (decodeInPlace === undefined || !this.betweenMessages || !isWholeMessage(bytes, start, end))
      return false;
    const from = start + messagePrefixBytes;
    checkMessageSize(end - from, this.session.service.options.receiveBytesMax);
    let request: Request;
    try {
      request = decodeInPlace(bytes, from, end);
    } catch (error) {
      throw decodeFailure(error, decodeFailureText);
    }
    this.countReceived(end - from);
    this.handOver(request, end - start);
    return true;
  }

  /** To the handler at once where it takes each request: that spares thousands of streams a look at their queues. */
  private handOver(request: Request, bytes: number): void {
    const { idleTaker } = this;
    if (idleTaker === undefined) {
      this.requests.push(request, bytes);
      return;
    }
    this.requestTaken(bytes);
    const done = idleTaker.take(request);
    if (done !== undefined) this.requests.pauseUntil(done);
  }

  private read(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.reader ??= this.openReader();
    this.reader.push(bytes, start, end);
    // The rest of a begun message must be able to come, though nobody can consume its beginning yet.
    if (this.reader.atBoundary || endStream) return;
    const early = Math.min(end - start, this.reader.begunBytes);
    this.session.connection.receiving.grantEarly(this.stream, early);
  }

  private openReader(): MessageReader {
    const { receiveBytesMax } = this.session.service.options;
    return new MessageReader(receiveBytesMax, (bytes, compressed) => {
      const message = compressed ? decompressMessage(bytes, this.encoding, receiveBytesMax) : bytes;
      const request = this.decode(message, decodeFailureText);
      this.countReceived(message.length);
      this.handOver(request, messagePrefixBytes + bytes.length);
    });
  }

  private async run(): Promise<void> {
    try {
      await this.method.handle(this.requests, this, this);
      this.finish();
    } catch (error) {
      this.fail(error);
    }
  }
}
