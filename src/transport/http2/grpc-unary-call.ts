/** A call with one request: unary (one response) or server streaming (many). */
import { Later, type LaterListener } from "../../base/later.js";
import { RpcStatus, type ServerStreamMethod, StatusCode, type UnaryMethod } from "../rpc.js";
import { decompressMessage } from "./compression.js";
import { type CallDeps, GrpcCall } from "./grpc-call.js";
import {
  checkMessageSize,
  isWholeMessage,
  keepableSlice,
  MessageReader,
  messagePrefixBytes,
} from "./grpc-framing.js";
import type { RequestHead } from "./request-head.js";

/** Gathers the one message of the request. */
abstract class SingleRequestCall<Request, Response> extends GrpcCall<Request, Response> {
  private message: Uint8Array | undefined;
  private reader: MessageReader | undefined;

  protected abstract begin(message: Uint8Array): void;
  protected abstract readonly borrowsRequest: boolean;

  override data(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.over) return;
    try {
      if (!this.takeWhole(bytes, start, end, endStream)) {
        this.reader ??= this.openReader();
        this.reader.push(bytes, start, end);
        if (!endStream) this.session.connection.receiving.grantEarly(this.stream, end - start);
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    if (endStream) this.requestsEnded();
  }

  override requestsEnded(): void {
    if (this.over) return;
    const { message } = this;
    if (this.reader !== undefined && !this.reader.atBoundary) {
      this.fail(new RpcStatus(StatusCode.Internal, "unexpected EOF"));
    } else if (message === undefined) {
      const text = "cardinality violation: received no request message from non-client-streaming RPC";
      this.fail(new RpcStatus(StatusCode.Internal, text));
    } else {
      this.message = undefined;
      this.begin(message);
    }
  }

  /** The common case: a frame that is exactly one message. */
  private takeWhole(bytes: Buffer, start: number, end: number, endStream: boolean): boolean {
    if (start === end) return true;
    if (this.reader !== undefined || this.message !== undefined || !isWholeMessage(bytes, start, end))
      return false;
    const from = start + messagePrefixBytes;
    checkMessageSize(end - from, this.session.service.options.receiveBytesMax);
    const borrowed = endStream && this.borrowsRequest;
    this.message = borrowed ? bytes.subarray(from, end) : keepableSlice(bytes, from, end);
    return true;
  }

  private openReader(): MessageReader {
    const { receiveBytesMax } = this.session.service.options;
    return new MessageReader(receiveBytesMax, (bytes, compressed) => {
      if (this.message !== undefined) {
        const text = "cardinality violation: received multiple request messages for non-client-streaming RPC";
        throw new RpcStatus(StatusCode.Internal, text);
      }
      this.message = compressed ? decompressMessage(bytes, this.encoding, receiveBytesMax) : bytes;
    });
  }
}

export class UnaryCall<Request, Response>
  extends SingleRequestCall<Request, Response>
  implements LaterListener<Response | Promise<Response>>
{
  constructor(
    private readonly method: UnaryMethod<Request, Response>,
    head: RequestHead,
    deps: CallDeps,
  ) {
    super(method, head, deps);
  }

  protected override get borrowsRequest(): boolean {
    return this.method.borrowsRequest === true;
  }

  protected override begin(message: Uint8Array): void {
    this.countReceived(message.length);
    try {
      const response = this.method.handle(this.decode(message, "grpc: error unmarshalling request"), this);
      if (response instanceof Later) {
        this.armDeadline();
        response.settle(this);
      } else if (response instanceof Promise) {
        this.armDeadline();
        this.await(response);
      } else {
        this.answer(response);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  resolve(response: Response | Promise<Response>): void {
    if (response instanceof Promise) {
      this.await(response);
      return;
    }
    try {
      this.answer(response);
    } catch (error) {
      this.fail(error);
    }
  }

  reject(error: unknown): void {
    this.fail(error);
  }

  private await(response: Promise<Response>): void {
    response.then(
      (value) => this.resolve(value),
      (error: unknown) => this.fail(error),
    );
  }
}

export class ServerStreamCall<Request, Response> extends SingleRequestCall<Request, Response> {
  constructor(
    private readonly method: ServerStreamMethod<Request, Response>,
    head: RequestHead,
    deps: CallDeps,
  ) {
    super(method, head, deps);
  }

  /** A handler that streams reads its request as long as it runs. */
  protected override get borrowsRequest(): boolean {
    return false;
  }

  protected override begin(message: Uint8Array): void {
    this.countReceived(message.length);
    this.armDeadline();
    void this.run(message);
  }

  private async run(message: Uint8Array): Promise<void> {
    try {
      const request = this.decode(message, "grpc: failed to unmarshal the received message");
      await this.method.handle(request, this, this);
      this.finish();
    } catch (error) {
      this.fail(error);
    }
  }
}
