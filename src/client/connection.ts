/**
 * Calls over the channels of a client: deadlines, abort signals, tokens, and the one rule of failover. A call
 * is sent again only where that cannot be seen: a repeatable method after `Unavailable`, any method when it
 * certainly was not sent. A write whose fate is unknown is the caller's to decide on.
 */
import { type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import { limits } from "../base/limits.js";
import { AuthenticateRequest, AuthenticateResponse } from "../gen/etcdserver.js";
import { ChannelSet, type EndpointChannel } from "./channel.js";
import { GrpcCode, isClientError, QuorateClientError } from "./errors.js";
import { type ClientMethod, clientMethod } from "./method.js";
import type { CallOptions, ConnectOptions, EndpointCallOptions } from "./options.js";
import { TokenSource } from "./token.js";

const authenticateMethod = clientMethod(
  "/etcdserverpb.Auth/Authenticate",
  "read",
  AuthenticateRequest,
  AuthenticateResponse,
);

/** What the services of a client are built on. */
export interface Connection {
  /** Errors: `QuorateClientError`. */
  unary<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: EndpointCallOptions,
  ): Promise<Response>;
  /** The answers as they come; reading no further stops the server by flow control. Leaving the loop cancels the call. */
  serverStream<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: EndpointCallOptions,
  ): AsyncIterable<Response>;
  close(): Promise<void>;
}

interface Sent {
  readonly channel: EndpointChannel;
  readonly metadata: Metadata;
  readonly token: Promise<string | undefined>;
}

export class GrpcConnection implements Connection {
  private readonly channels: ChannelSet;
  private readonly tokens: TokenSource;
  private readonly callMs: number;
  private readonly dialMs: number;
  private readonly authMs: number;

  constructor(options: ConnectOptions) {
    this.channels = new ChannelSet(options);
    this.callMs = options.timeouts?.callMs ?? 5_000;
    this.dialMs = options.timeouts?.dialMs ?? 2_000;
    this.authMs = options.timeouts?.authMs ?? this.callMs;
    this.tokens = new TokenSource(options.auth, (user, password) => this.authenticate(user, password));
  }

  async unary<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: EndpointCallOptions,
  ): Promise<Response> {
    const deadlineMs = Date.now() + (options.timeoutMs ?? this.callMs);
    for (let attempt = 1; ; attempt++) {
      const sent = await this.prepare(method, options, deadlineMs);
      try {
        return await sendUnary(method, request, sent, deadlineMs, options.signal);
      } catch (error) {
        if (!this.mayRepeat(method, error, sent, attempt)) throw asFinal(error);
      }
      await pause(Math.min(limits.clientRetryPauseMs * attempt, Math.max(0, deadlineMs - Date.now())));
    }
  }

  async *serverStream<Request, Response>(
    method: ClientMethod<Request, Response>,
    request: Request,
    options: EndpointCallOptions,
  ): AsyncGenerator<Response, void, undefined> {
    const deadlineMs = options.timeoutMs === undefined ? Infinity : Date.now() + options.timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const sent = await this.prepare(method, options, deadlineMs);
      let received = 0;
      try {
        for await (const response of openStream(method, request, sent, deadlineMs, options.signal)) {
          received++;
          yield response;
        }
        return;
      } catch (error) {
        // What was handed out cannot be taken back: only a stream that gave nothing yet is opened again.
        if (received > 0 || !this.mayRepeat(method, error, sent, attempt)) throw asFinal(error);
      }
    }
  }

  async close(): Promise<void> {
    this.channels.close();
  }

  private async prepare(
    method: ClientMethod<never, unknown> | ClientMethod<unknown, unknown>,
    options: EndpointCallOptions,
    deadlineMs: number,
  ): Promise<Sent> {
    const token = method.path === authenticateMethod.path ? noToken : this.tokens.get();
    const tokenText = await token;
    const channel = await this.channelFor(options, deadlineMs);
    const metadata = new Metadata();
    if (tokenText !== undefined) metadata.set("token", tokenText);
    return { channel, metadata, token };
  }

  private async channelFor(options: EndpointCallOptions, deadlineMs: number): Promise<EndpointChannel> {
    const only = options.endpoint === undefined ? undefined : this.channels.named(options.endpoint);
    const dialDeadlineMs = Date.now() + this.dialMs;
    const channel = await this.channels.connected(Math.min(deadlineMs, dialDeadlineMs), options.signal, only);
    if (channel !== undefined) return channel;
    if (options.signal?.aborted === true) throw unsent(GrpcCode.Canceled, "context canceled");
    if (deadlineMs <= dialDeadlineMs) throw unsent(GrpcCode.DeadlineExceeded, "context deadline exceeded");
    throw unsent(GrpcCode.Unavailable, `no endpoint took a connection within ${this.dialMs} ms`);
  }

  /** Whether the loop around a call may send it again; moves on to another endpoint where this one failed. */
  private mayRepeat(
    method: { readonly repeatable: boolean },
    error: unknown,
    sent: Sent,
    attempt: number,
  ): boolean {
    if (!(error instanceof QuorateClientError) || attempt >= limits.clientAttemptsMax) return false;
    // Both are said before a request acts, so that sending it again with a new token is safe for writes too.
    if (isRefusedToken(error)) return this.tokens.renew(sent.token);
    if (error.code !== GrpcCode.Unavailable) return false;
    this.channels.leave(sent.channel);
    return method.repeatable || !error.mayHaveBeenApplied;
  }

  private async authenticate(user: string, password: string): Promise<string | undefined> {
    try {
      const request = { name: user, password };
      return (await this.unary(authenticateMethod, request, { timeoutMs: this.authMs })).token;
    } catch (error) {
      const notEnabled = "etcdserver: authentication is not enabled";
      if (isClientError(error, GrpcCode.FailedPrecondition, notEnabled)) return undefined;
      throw error;
    }
  }
}

const noToken: Promise<undefined> = Promise.resolve(undefined);

function isRefusedToken(error: QuorateClientError): boolean {
  return (
    isClientError(error, GrpcCode.Unauthenticated, "etcdserver: invalid auth token") ||
    isClientError(error, GrpcCode.InvalidArgument, "etcdserver: revision of auth store is old")
  );
}

function unsent(code: GrpcCode, text: string): QuorateClientError {
  return new QuorateClientError(code, text, false, undefined);
}

/** Errors that are none of the library's own become `Internal`, so that callers see one class only. */
function asFinal(error: unknown): QuorateClientError {
  if (error instanceof QuorateClientError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new QuorateClientError(GrpcCode.Internal, text, true, undefined);
}

/** The codes after which nobody but the server knows whether a write happened. */
const unknownFateCodes: readonly number[] = [
  GrpcCode.Canceled,
  GrpcCode.Unknown,
  GrpcCode.DeadlineExceeded,
  GrpcCode.Internal,
  GrpcCode.Unavailable,
];

function toClientError(
  error: ServiceError,
  method: { readonly repeatable: boolean },
  sent: Sent,
): QuorateClientError {
  // The library's words for a call that found no connection to be written to.
  const neverSent =
    error.code === GrpcCode.Unavailable && error.details.startsWith("No connection established");
  const unknownFate = !method.repeatable && !neverSent && unknownFateCodes.includes(error.code);
  const endpoint = sent.channel.endpoint.name;
  return new QuorateClientError(error.code as GrpcCode, error.details, unknownFate, endpoint);
}

function sendUnary<Request, Response>(
  method: ClientMethod<Request, Response>,
  request: Request,
  sent: Sent,
  deadlineMs: number,
  signal: CallOptions["signal"],
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = sent.channel.client.makeUnaryRequest<Request, Response>(
      method.path,
      method.encode,
      method.decode,
      request,
      sent.metadata,
      { deadline: deadlineMs },
      (error, response) => {
        signal?.removeEventListener("abort", onAbort);
        if (error !== null) reject(toClientError(error, method, sent));
        else resolve(response!);
      },
    );
    const onAbort = (): void => call.cancel();
    if (signal?.aborted === true) call.cancel();
    else signal?.addEventListener("abort", onAbort);
  });
}

async function* openStream<Request, Response>(
  method: ClientMethod<Request, Response>,
  request: Request,
  sent: Sent,
  deadlineMs: number,
  signal: CallOptions["signal"],
): AsyncGenerator<Response, void, undefined> {
  const call: ClientReadableStream<Response> = sent.channel.client.makeServerStreamRequest(
    method.path,
    method.encode,
    method.decode,
    request,
    sent.metadata,
    { deadline: deadlineMs },
  );
  const onAbort = (): void => call.cancel();
  if (signal?.aborted === true) call.cancel();
  else signal?.addEventListener("abort", onAbort);
  try {
    for await (const response of call) yield response as Response;
  } catch (error) {
    throw isServiceError(error) ? toClientError(error, method, sent) : error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    call.cancel();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
