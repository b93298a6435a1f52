/**
 * The seam between services and whatever carries them: a service is a list of methods, each with its codec and
 * its handler. No gRPC library is named here or above; `transport/http2` serves them.
 */
import { GrpcCode } from "../base/grpc-code.js";
import type { Later } from "../base/later.js";

/** gRPC status codes (grpc/grpc doc/statuscodes.md). */
export const StatusCode = { Ok: 0, ...GrpcCode } as const;
export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode];

/** How a call ends when it does not end well: what the client sees in its trailers. */
export class RpcStatus extends Error {
  override readonly name = "RpcStatus";
  constructor(
    readonly code: StatusCode,
    message: string,
    /** Serialized google.rpc.Status for `grpc-status-details-bin`, where a service has details. */
    readonly details?: Uint8Array,
  ) {
    super(message);
  }
}

/** What a handler may know of its call beside the request. */
export interface CallContext {
  /** First value of a metadata key (lower case), ASCII. */
  metadata(key: string): string | undefined;
  /** Address of the client, "host:port". */
  readonly peer: string;
  /** Common name of the client's verified certificate; undefined without one. */
  readonly certificateCommonName: string | undefined;
  /** Milliseconds left when the call arrived; undefined where the client set no deadline. */
  readonly timeoutMs: number | undefined;
  /** Calls `listener` once when the client cancelled, its deadline passed, or the connection broke; at once if it already did. */
  onCancel(listener: () => void): void;
  readonly cancelled: boolean;
}

/** Where the responses of a streaming method go. */
export interface ResponseSink<Response> {
  /** Sends a response. False when the client is behind: await `drained` before the next one. */
  write(response: Response): boolean;
  /** Resolves when there is room again; rejects with RpcStatus Canceled when the call is over. */
  drained(): Promise<void>;
}

export interface MethodCodec<Request, Response> {
  decode(bytes: Uint8Array): Request;
  /**
   * May give several parts, so that stored bytes are carried and not copied. Memory that is given alone, not in a
   * list, and is below limits.outputReferenceBytesMin, is copied before `write` returns: the next response of a
   * streaming method may be made in it.
   */
  encode(response: Response): Uint8Array | readonly Uint8Array[];
}

interface MethodBase<Request, Response> extends MethodCodec<Request, Response> {
  /** "/etcdserverpb.KV/Put" */
  readonly path: string;
}

export interface UnaryMethod<Request, Response> extends MethodBase<Request, Response> {
  readonly kind: "unary";
  /**
   * True where nothing of a request's bytes is used once `handle` has returned (the answer may well be still to
   * come): they then need not be copied out of what the socket delivered, which they would keep alive.
   */
  readonly borrowsRequest?: boolean;
  /** May answer at once or later. Failures: RpcStatus, StoreError; anything else is Internal and logged. */
  handle(
    request: Request,
    call: CallContext,
  ): Response | Promise<Response> | Later<Response | Promise<Response>>;
}

export interface ServerStreamMethod<Request, Response> extends MethodBase<Request, Response> {
  readonly kind: "serverStream";
  handle(request: Request, call: CallContext, sink: ResponseSink<Response>): Promise<void>;
}

/** What a handler makes of each request. An object, as a function would be two for each stream that waits. */
export interface RequestTaker<Request> {
  /** A promise: the next one is given when it resolves. */
  take(request: Request): Promise<void> | undefined;
}

/** Requests of a stream that come to their handler without a promise each. */
export interface RequestStream<Request> extends AsyncIterable<Request> {
  /** In place of iterating. Resolves when all were taken; rejects when the call is over, or with what `take` throws. */
  takeEach(taker: RequestTaker<Request>): Promise<void>;
}

/** Gives `taker` each of the requests, in the quick way where their source has it. */
export async function takeRequests<Request>(
  requests: AsyncIterable<Request>,
  taker: RequestTaker<Request>,
): Promise<void> {
  if ("takeEach" in requests) return (requests as RequestStream<Request>).takeEach(taker);
  for await (const request of requests) await taker.take(request);
}

/** Client-streaming methods use it too: they write one response and return. */
export interface BidiMethod<Request, Response> extends MethodBase<Request, Response> {
  readonly kind: "bidi";
  /** Where requests are many and small: decodes `bytes[start, end)`, of which it keeps nothing. In place of `decode`. */
  readonly decodeInPlace?: (bytes: Uint8Array, start: number, end: number) => Request;
  /** `requests` ends when the client half-closes; the call ends when the promise settles. */
  handle(requests: AsyncIterable<Request>, call: CallContext, sink: ResponseSink<Response>): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of methods has as many message types as methods.
export type RpcMethod = UnaryMethod<any, any> | ServerStreamMethod<any, any> | BidiMethod<any, any>;

/** Turns what a handler threw into the status that the client sees; api/error-table.ts provides it. */
export type ErrorMapper = (error: unknown) => RpcStatus;
