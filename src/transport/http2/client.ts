/**
 * The client half: one connection to one server, for links between members. It carries raw bytes; to dial
 * again after the connection is gone is the caller's business.
 */
import { connect as connectNet, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket, type ConnectionOptions as TlsConnectOptions } from "node:tls";
import { limits } from "../../base/limits.js";
import { RpcStatus, StatusCode } from "../rpc.js";
import { type CallEvents, ClientCall } from "./client-call.js";
import { Connection, type ConnectionOwner } from "./connection.js";
import { fairInterval, fairTimeout } from "./fair-timer.js";
import { formatTimeout } from "./grpc-status.js";
import { encodeHeaders, type HeaderPair } from "./hpack-encoder.js";
import { sharedReads } from "./own-reads.js";
import { ErrorCode, streamIdMax } from "./protocol.js";

export type { CallEvents } from "./client-call.js";

export interface GrpcChannelOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: plain TCP. Certificates, `servername`, `rejectUnauthorized` as in node:tls. */
  readonly tls:
    | Pick<
        TlsConnectOptions,
        "ca" | "cert" | "key" | "servername" | "rejectUnauthorized" | "checkServerIdentity"
      >
    | undefined;
  /** Largest message that the server may send, bytes. */
  readonly receiveBytesMax: number;
  /** TCP and TLS must be set up within this, ms. */
  readonly connectTimeoutMs: number;
  /** Ping after this much silence, and give the connection up when nothing comes within the timeout, ms. */
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

/** Names are lower case; values ASCII, or base64 where the name ends in "-bin". */
export type CallMetadata = Readonly<Record<string, string>>;

export interface GrpcClientStream {
  /** False when the server is behind: wait for `onDrain`. The parts must not be changed afterwards. */
  write(message: Uint8Array | readonly Uint8Array[]): boolean;
  end(): void;
  /** Ends the call at once; `onEnd` gets Canceled. */
  cancel(): void;
}

export interface GrpcChannel {
  /** A call with any number of messages both ways. `onEnd` comes once, later than this returns. */
  openStream(path: string, metadata: CallMetadata, events: CallEvents): GrpcClientStream;
  /** A call with one message each way; rejects with RpcStatus. `timeoutMs` undefined: none. */
  unary(
    path: string,
    message: Uint8Array | readonly Uint8Array[],
    options: { readonly timeoutMs: number | undefined; readonly metadata: CallMetadata },
  ): Promise<Uint8Array>;
  /** Calls `listener` once when the connection is gone or goes away, with the reason; at once if it already did. */
  onClose(listener: (reason: string) => void): void;
  readonly closed: boolean;
  /** Ends all calls with Unavailable, and the connection. */
  close(): void;
}

/** Connects; rejects with the socket's error, or RpcStatus Unavailable when it takes too long or h2 is refused. */
export async function connectGrpc(options: GrpcChannelOptions): Promise<GrpcChannel> {
  const socket = await dial(options);
  return new Channel(options, socket);
}

class Channel implements GrpcChannel, ConnectionOwner {
  private readonly connection: Connection;
  private readonly stopSweeps: () => void;
  private readonly authority: string;
  private closeListeners: ((reason: string) => void)[] = [];
  private closeReason: string | undefined;
  private goingAway = false;

  constructor(
    private readonly options: GrpcChannelOptions,
    socket: Socket,
  ) {
    const { host, port, keepaliveIntervalMs, keepaliveTimeoutMs } = options;
    this.authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    this.connection = new Connection(
      {
        role: "client",
        concurrentStreamsMax: 0,
        keepalive: {
          intervalMs: keepaliveIntervalMs,
          timeoutMs: keepaliveTimeoutMs,
          peerPingMinMs: undefined,
        },
      },
      { socket, owner: this },
    );
    const sweepMs = Math.max(10, Math.min(1000, keepaliveIntervalMs / 4, keepaliveTimeoutMs / 4));
    this.stopSweeps = fairInterval(sweepMs, (nowMs) => this.connection.sweep(nowMs));
  }

  get closed(): boolean {
    return this.closeReason !== undefined;
  }

  openStream(path: string, metadata: CallMetadata, events: CallEvents): GrpcClientStream {
    return this.startCall(path, metadata, undefined, events);
  }

  unary(
    path: string,
    message: Uint8Array | readonly Uint8Array[],
    options: { readonly timeoutMs: number | undefined; readonly metadata: CallMetadata },
  ): Promise<Uint8Array> {
    const { timeoutMs, metadata } = options;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      let response: Uint8Array | undefined;
      const call = this.startCall(path, metadata, timeoutMs, {
        onMessage: (bytes) => {
          response = bytes;
        },
        onDrain: () => {},
        onEnd: (status) => {
          clearTimeout(timer);
          if (status.code !== StatusCode.Ok) reject(status);
          else if (response === undefined) reject(new RpcStatus(StatusCode.Internal, "no response message"));
          else resolve(response);
        },
      });
      if (timeoutMs !== undefined) {
        const exceeded = new RpcStatus(StatusCode.DeadlineExceeded, "context deadline exceeded");
        timer = setTimeout(() => call.cancel(exceeded), timeoutMs);
      }
      call.write(message);
      call.end();
    });
  }

  onClose(listener: (reason: string) => void): void {
    if (this.closeReason === undefined) this.closeListeners.push(listener);
    else listener(this.closeReason);
  }

  close(): void {
    this.connection.destroy("the channel was closed");
  }

  /** A client serves nothing. */
  request(): undefined {}

  /** No new calls; those above `lastStreamId` were not looked at, the others may end well (RFC 9113, section 6.8). */
  goAway(lastStreamId: number, code: number, text: string): void {
    this.goingAway = true;
    for (const stream of this.connection.streams.list()) {
      if (stream.id <= lastStreamId) continue;
      const { handler } = stream;
      this.connection.removeStream(stream);
      handler?.closed(undefined);
    }
    this.tellClosed(`the server goes away, error code ${code}${text === "" ? "" : `: ${text}`}`);
  }

  closedConnection(reason: string): void {
    this.stopSweeps();
    this.tellClosed(reason);
  }

  private startCall(
    path: string,
    metadata: CallMetadata,
    timeoutMs: number | undefined,
    events: CallEvents,
  ): ClientCall {
    const { connection } = this;
    const call = new ClientCall({ receiveBytesMax: this.options.receiveBytesMax }, { connection, events });
    const refusal = this.refusal();
    if (refusal === undefined) call.start(this.headBlock(path, metadata, timeoutMs));
    else queueMicrotask(() => call.cancel(refusal));
    return call;
  }

  private refusal(): RpcStatus | undefined {
    if (this.connection.exhausted) this.goAway(streamIdMax, ErrorCode.NoError, "no stream ids are left");
    if (this.goingAway || this.connection.closed) {
      return new RpcStatus(StatusCode.Unavailable, this.closeReason ?? "the connection is closed");
    }
    const { sender, streams } = this.connection;
    if (streams.size < Math.min(sender.peerStreamsMax, limits.connectionStreamsMax)) return undefined;
    return new RpcStatus(StatusCode.Unavailable, "the server allows no more streams");
  }

  private headBlock(path: string, metadata: CallMetadata, timeoutMs: number | undefined): Buffer {
    const pairs: HeaderPair[] = [
      [":method", "POST"],
      [":scheme", this.options.tls === undefined ? "http" : "https"],
      [":path", path],
      [":authority", this.authority],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ];
    if (timeoutMs !== undefined) pairs.push(["grpc-timeout", formatTimeout(timeoutMs)]);
    pairs.push(...Object.entries(metadata));
    return encodeHeaders(pairs);
  }

  private tellClosed(reason: string): void {
    if (this.closeReason !== undefined) return;
    this.closeReason = reason;
    const listeners = this.closeListeners;
    this.closeListeners = [];
    for (const listener of listeners) listener(reason);
  }
}

function dial(options: GrpcChannelOptions): Promise<Socket> {
  const { host, port, tls } = options;
  return new Promise((resolve, reject) => {
    const socket: Socket =
      tls === undefined
        ? connectNet({ host, port, onread: sharedReads(() => socket) })
        : connectTls({ ...tls, host, port, ALPNProtocols: ["h2"] });
    const cancelTimeout = fairTimeout(options.connectTimeoutMs, () => {
      socket.destroy(
        new RpcStatus(StatusCode.Unavailable, `no connection within ${options.connectTimeoutMs} ms`),
      );
    });
    const failed = (error: Error): void => {
      cancelTimeout();
      reject(error);
    };
    socket.once("error", failed);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      cancelTimeout();
      socket.removeListener("error", failed);
      if (tls === undefined || (socket as TLSSocket).alpnProtocol === "h2") resolve(socket);
      else {
        socket.destroy();
        reject(new RpcStatus(StatusCode.Unavailable, "the server does not speak HTTP/2"));
      }
    });
  });
}
