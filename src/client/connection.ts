/**
 * Calls over the channels of a client: deadlines, abort signals, tokens, and the one rule of failover. A call
 * is sent again only where that cannot be seen: a repeatable method after `Unavailable`, any method when it
 * certainly was not sent. A write whose fate is unknown is the caller's to decide on.
 */
import { Metadata } from "@grpc/grpc-js";
import { limits } from "../base/limits.js";
import { AuthenticateRequest, AuthenticateResponse } from "../gen/etcdserver.js";
import { asFinal, openDuplex, openStream, type Sent, sendUnary, unsent } from "./call.js";
import { ChannelSet, type EndpointChannel } from "./channel.js";
import { GrpcCode, isClientError, QuorateClientError } from "./errors.js";
import { HomeKeeper } from "./home.js";
import { type ClientMethod, clientMethod } from "./method.js";
import type { ConnectOptions, EndpointCallOptions } from "./options.js";
import { pause } from "./timer.js";
import { TokenSource } from "./token.js";

const authenticateMethod = clientMethod(
  "/etcdserverpb.Auth/Authenticate",
  "read",
  AuthenticateRequest,
  AuthenticateResponse,
);

/** What the services of a client are built on. */
export interface Connection {
  /** Deadline of a call in ms, unless the call says otherwise. */
  readonly callMs: number;
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
  /**
   * A stream in both directions at the endpoint in use, which the server ends when its member has no leader.
   * Never opened again by itself. Rejects with `QuorateClientError` where no endpoint takes it.
   */
  duplex<Request, Response>(
    method: ClientMethod<Request, Response>,
    handlers: DuplexHandlers<Response>,
  ): Promise<DuplexStream<Request>>;
  /** Calls `listener` whenever long-lived streams should move to the endpoint that is in use now. */
  onMove(listener: () => void): void;
  close(): Promise<void>;
}

export interface DuplexHandlers<Response> {
  onMessage(response: Response): void;
  /** Once, with `Unavailable` for an end without an error; not after `cancel`. */
  onEnd(error: QuorateClientError): void;
}

export interface DuplexStream<Request> {
  send(request: Request): void;
  /** Ends it at once. */
  cancel(): void;
  /** Has calls from now on go to another endpoint than this stream's. */
  leaveEndpoint(): void;
  /** Has calls from now on use another token than this stream's. False where no other can be had. */
  renewToken(): boolean;
}

export class GrpcConnection implements Connection {
  private readonly channels: ChannelSet;
  private readonly home: HomeKeeper;
  private readonly tokens: TokenSource;
  private readonly moveListeners: (() => void)[] = [];
  /** What ends the streams that are open. */
  private readonly openStreams = new Set<() => void>();
  readonly callMs: number;
  private readonly dialMs: number;
  private readonly authMs: number;

  constructor(options: ConnectOptions) {
    this.channels = new ChannelSet(options);
    this.callMs = options.timeouts?.callMs ?? 5_000;
    this.dialMs = options.timeouts?.dialMs ?? 2_000;
    this.authMs = options.timeouts?.authMs ?? this.callMs;
    this.tokens = new TokenSource(options.auth, (user, password) => this.authenticate(user, password));
    this.home = new HomeKeeper(this.channels, this, () => {
      for (const listener of this.moveListeners) listener();
    });
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
        const stream = openStream(method, request, sent, deadlineMs, options.signal, this.openStreams);
        for await (const response of stream) {
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

  async duplex<Request, Response>(
    method: ClientMethod<Request, Response>,
    handlers: DuplexHandlers<Response>,
  ): Promise<DuplexStream<Request>> {
    const sent = await this.prepare(method, {}, Infinity);
    sent.metadata.set("hasleader", "true");
    const stream = openDuplex(method, sent, this.openStreams, {
      onMessage: handlers.onMessage,
      onEnd: (error) => {
        if (error.code === GrpcCode.Unavailable) this.leave(sent.channel);
        handlers.onEnd(error);
      },
    });
    return {
      ...stream,
      leaveEndpoint: () => this.leave(sent.channel),
      renewToken: () => this.tokens.renew(sent.token),
    };
  }

  onMove(listener: () => void): void {
    this.moveListeners.push(listener);
  }

  async close(): Promise<void> {
    this.home.stop();
    this.channels.close();
    for (const end of [...this.openStreams]) end();
  }

  private leave(channel: EndpointChannel): void {
    this.channels.leave(channel);
    this.home.check();
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
    if (channel !== undefined) {
      this.home.check();
      return channel;
    }
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
    this.leave(sent.channel);
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
