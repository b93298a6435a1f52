/** One endpoint's gRPC channel, and the choice between several. */
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  connectivityState,
  credentials,
} from "@grpc/grpc-js";
import { limits } from "../base/limits.js";
import { type ParsedEndpoint, parseEndpoint } from "./endpoint.js";
import { closedText, GrpcCode, QuorateClientError } from "./errors.js";
import { bufferOf } from "./method.js";
import type { ConnectOptions, TlsOptions } from "./options.js";
import { timerMsMax } from "./timer.js";

export interface EndpointChannel {
  readonly endpoint: ParsedEndpoint;
  readonly client: Client;
}

/** grpc-go refuses to ping more often, and etcd servers answer more than one ping in 5 s with GOAWAY. */
const keepaliveMsMin = 10_000;

/**
 * The channels of a client. A call goes to the endpoint in use as long as that has a connection; else all
 * others are tried, each new one a little after the one before it (as RFC 8305 does for addresses), and the
 * first that connects is the one in use from then on. The one in use at the beginning is the client's home:
 * chosen by chance, so that many clients spread over the members, and returned to when it is well again.
 */
export class ChannelSet {
  private readonly channels: readonly EndpointChannel[];
  private readonly home: number;
  private current: number;
  private closed = false;

  constructor(options: ConnectOptions) {
    if (options.endpoints.length === 0) {
      throw new QuorateClientError(
        GrpcCode.InvalidArgument,
        "etcdclient: no available endpoints",
        false,
        undefined,
      );
    }
    const channelOptions = toChannelOptions(options);
    this.channels = options.endpoints.map(parseEndpoint).map((endpoint) => ({
      endpoint,
      client: new Client(endpoint.target, toCredentials(endpoint, options.tls), channelOptions),
    }));
    this.home = options.balance === "ordered" ? 0 : Math.floor(Math.random() * this.channels.length);
    this.current = this.home;
  }

  /** The endpoint to go back to; undefined while it is the one in use. */
  get homeToReturnTo(): EndpointChannel | undefined {
    return this.current === this.home ? undefined : this.channels[this.home];
  }

  /** Puts the home endpoint in use again. */
  returnHome(): void {
    this.current = this.home;
  }

  /** The channel of an endpoint that was given to `connect`. */
  named(name: string): EndpointChannel {
    const channel = this.channels.find((candidate) => candidate.endpoint.name === name.trim());
    if (channel !== undefined) return channel;
    const text = `endpoint ${JSON.stringify(name)} is not one of this client's`;
    throw new QuorateClientError(GrpcCode.InvalidArgument, text, false, undefined);
  }

  /** Resolves with a connected channel, or undefined when there is none by `untilMs` or `signal` was aborted. */
  async connected(
    untilMs: number,
    signal: AbortSignal | undefined,
    only?: EndpointChannel,
  ): Promise<EndpointChannel | undefined> {
    if (this.closed) throw closedError();
    const candidates = only === undefined ? this.inOrder() : [only];
    const first = candidates[0]!;
    if (isReady(first)) return first;
    const timerEndMs = Date.now() + timerMsMax;
    const winner = await raceToReady(candidates, Math.min(untilMs, timerEndMs), signal);
    if (this.closed) throw closedError();
    if (winner !== undefined && only === undefined) this.current = this.channels.indexOf(winner);
    return winner;
  }

  /** Puts the next endpoint in use, unless a call before this one already left `failed`. */
  leave(failed: EndpointChannel): void {
    if (this.channels[this.current] === failed) this.current = (this.current + 1) % this.channels.length;
  }

  close(): void {
    this.closed = true;
    for (const channel of this.channels) channel.client.close();
  }

  private inOrder(): EndpointChannel[] {
    return [...this.channels.slice(this.current), ...this.channels.slice(0, this.current)];
  }
}

function closedError(): QuorateClientError {
  return new QuorateClientError(GrpcCode.Canceled, closedText, false, undefined);
}

function isReady(channel: EndpointChannel): boolean {
  return channel.client.getChannel().getConnectivityState(true) === connectivityState.READY;
}

/** The first of `candidates` to have a connection; later ones start after a pause, or when all before them failed. */
function raceToReady(
  candidates: readonly EndpointChannel[],
  untilMs: number,
  signal: AbortSignal | undefined,
): Promise<EndpointChannel | undefined> {
  return new Promise((resolve) => {
    let started = 0;
    let failed = 0;
    let over = false;
    const finish = (winner: EndpointChannel | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(deadlineTimer);
      clearInterval(stagger);
      signal?.removeEventListener("abort", onAbort);
      resolve(winner);
    };
    const onAbort = (): void => finish(undefined);
    const watch = (channel: EndpointChannel, hasFailed: boolean): void => {
      if (over) return;
      const grpcChannel = channel.client.getChannel();
      const state = grpcChannel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.SHUTDOWN) {
        finish(state === connectivityState.READY ? channel : undefined);
        return;
      }
      const failsNow = state === connectivityState.TRANSIENT_FAILURE && !hasFailed;
      if (failsNow && ++failed === started) startNext();
      grpcChannel.watchConnectivityState(state, untilMs, (error) => {
        if (error === undefined) watch(channel, hasFailed || failsNow);
      });
    };
    const startNext = (): void => {
      const next = candidates[started];
      if (next === undefined) return;
      started++;
      watch(next, false);
    };
    const stagger = setInterval(startNext, limits.clientConnectStaggerMs);
    const deadlineTimer = setTimeout(finish, Math.max(0, untilMs - Date.now()), undefined);
    if (signal?.aborted === true) return finish(undefined);
    signal?.addEventListener("abort", onAbort);
    startNext();
  });
}

function toCredentials(endpoint: ParsedEndpoint, tls: TlsOptions | undefined): ChannelCredentials {
  if (endpoint.tls === "forbidden" || (endpoint.tls === "optional" && tls === undefined)) {
    return credentials.createInsecure();
  }
  const pem = (bytes: Uint8Array | undefined): Buffer | null =>
    bytes === undefined ? null : bufferOf(bytes);
  const skipVerify = tls?.skipVerify === true;
  return credentials.createSsl(pem(tls?.caPem), pem(tls?.keyPem), pem(tls?.certPem), {
    rejectUnauthorized: !skipVerify,
    ...(skipVerify ? { checkServerIdentity: () => undefined } : {}),
  });
}

function toChannelOptions(options: ConnectOptions): ChannelOptions {
  const { timeouts, tls } = options;
  return {
    "grpc.max_receive_message_length": options.receiveBytesMax ?? -1,
    "grpc.max_send_message_length": options.sendBytesMax ?? limits.clientSendBytesMax,
    "grpc.keepalive_time_ms": Math.max(timeouts?.keepaliveMs ?? keepaliveMsMin, keepaliveMsMin),
    "grpc.keepalive_timeout_ms": timeouts?.keepaliveTimeoutMs ?? 6_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3_000,
    // Members are reached directly: a proxy of the environment is meant for the web.
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
    ...(tls?.serverName === undefined
      ? {}
      : { "grpc.ssl_target_name_override": tls.serverName, "grpc.default_authority": tls.serverName }),
  };
}
