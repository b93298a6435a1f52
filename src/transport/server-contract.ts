/** What the process asks of a server for one listening address; implementations serve the methods of rpc.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { SecureContextOptions } from "node:tls";
import type { Logger } from "../base/logger.js";
import type { ErrorMapper, RpcMethod } from "./rpc.js";

export interface TlsListenOptions extends SecureContextOptions {
  /** Ask for a client certificate. */
  readonly requestCert: boolean;
  /** Refuse connections without a valid one. */
  readonly rejectUnauthorized: boolean;
}

export interface TransportServerOptions {
  readonly methods: readonly RpcMethod[];
  readonly mapError: ErrorMapper;
  /** Serves HTTP/1.1 requests and HTTP/2 requests that are not gRPC, on the same port. */
  readonly http: (request: IncomingMessage, response: ServerResponse) => void;
  /** Absent: plain TCP with HTTP/2 by prior knowledge. Present: TLS with ALPN h2 and http/1.1. */
  readonly tls: TlsListenOptions | undefined;
  /** Largest message that a client may send, bytes. */
  readonly receiveBytesMax: number;
  readonly concurrentStreamsMax: number;
  /** Clients that ping more often than this (ms) are told ENHANCE_YOUR_CALM; etcd's --grpc-keepalive-min-time, 5 s. */
  readonly keepaliveMinTimeMs: number;
  /** Ping an idle connection after this (ms), and close it when no answer comes within the timeout. */
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

export interface TransportServerDeps {
  readonly log: Logger;
}

export interface TransportServer {
  /** Rejects with the socket's error (EADDRINUSE…). Port 0 lets the system choose. */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /**
   * Takes no new connections, tells open ones to go away (GOAWAY), lets unary calls in hand finish for up to
   * `graceMs`, cancels streams, then closes everything.
   */
  close(options: { readonly graceMs: number }): Promise<void>;
  /** For tests and metrics. */
  readonly connectionCount: number;
}
