/** What the process asks of a server for one listening address; implementations serve the methods of rpc.ts. */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Logger } from "../base/logger.js";
import type { MetricRegistry } from "../base/metrics.js";
import type { ErrorMapper, RpcMethod } from "./rpc.js";

/**
 * What an HTTP handler may use of a request. node:http's IncomingMessage is one; a request over HTTP/2 is another
 * (http2/http-request.ts). Headers are lower case; over HTTP/2 `:authority` appears as `host`.
 */
export interface HttpRequest extends Readable {
  readonly method?: string | undefined;
  /** Path and query; a router may rewrite it. */
  url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** "1.0", "1.1", "2.0" */
  readonly httpVersion: string;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined };
}

/** What an HTTP handler may use of a response; node:http's ServerResponse is one. */
export interface HttpResponse extends Writable {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  getHeader(name: string): number | string | readonly string[] | undefined;
  removeHeader(name: string): void;
  writeHead(statusCode: number, headers?: Readonly<Record<string, number | string | string[]>>): unknown;
}

export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

export interface TlsListenOptions extends SecureContextOptions {
  /** Ask for a client certificate. */
  readonly requestCert: boolean;
  /** Refuse connections without a valid one. */
  readonly rejectUnauthorized: boolean;
  /** Asked before each connection: what changed of the above since the last one; undefined: nothing. */
  readonly refreshed: () => SecureContextOptions | undefined;
  /** Asked after each handshake; who it rejects with an Error is sent away, with its text in the log. */
  readonly admit: (socket: TLSSocket) => Promise<void>;
}

export interface TransportServerOptions {
  readonly methods: readonly RpcMethod[];
  readonly mapError: ErrorMapper;
  /** Serves HTTP/1.1 requests and HTTP/2 requests that are not gRPC, on the same port. */
  readonly http: HttpHandler;
  /** Who connects here, for the log: "rejected connection on client endpoint", or on peer endpoint. */
  readonly endpoint: "client" | "peer";
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
  /** Where calls are counted (call-meter.ts); undefined: nowhere. */
  readonly calls: MetricRegistry | undefined;
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
