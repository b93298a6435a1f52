/** A gRPC server of our own: one port for gRPC, HTTP/2 and HTTP/1.1, with or without TLS. See ../README.md. */
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { limits } from "../../base/limits.js";
import type { TransportServer, TransportServerDeps, TransportServerOptions } from "../server-contract.js";
import { fairInterval, fairTimeout } from "./fair-timer.js";
import { GrpcService } from "./grpc-service.js";
import { takeOver } from "./own-reads.js";
import { detectProtocol } from "./protocol-detection.js";
import { ServerSession } from "./server-session.js";

const caller = "transport/http2";

export function createGrpcServer(
  options: TransportServerOptions,
  deps: TransportServerDeps,
): TransportServer {
  return new Http2Server(options, deps);
}

class Http2Server implements TransportServer {
  private readonly sessions = new Set<ServerSession>();
  /** All sockets: those of HTTP/1.1 and those whose protocol is not known yet as well. */
  private readonly sockets = new Set<Socket>();
  private readonly service: GrpcService;
  private readonly http1: HttpServer;
  private readonly listener: Server;
  private stopSweeps: (() => void) | undefined;
  private closing = false;
  private whenEmpty: (() => void) | undefined;

  constructor(
    private readonly options: TransportServerOptions,
    private readonly deps: TransportServerDeps,
  ) {
    this.service = new GrpcService(options, deps);
    const headersTimeout = limits.handshakeTimeoutMs;
    this.http1 = createHttpServer(
      { headersTimeout, connectionsCheckingInterval: headersTimeout / 2 },
      options.http,
    );
    this.listener = this.createListener();
    this.listener.maxConnections = limits.connectionsMax;
    this.listener.on("drop", () => this.warnDropped());
  }

  get connectionCount(): number {
    return this.sockets.size;
  }

  async listen(address: {
    readonly host: string;
    readonly port: number;
  }): Promise<{ readonly port: number }> {
    const { listener } = this;
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen({ host: address.host, port: address.port }, () => {
        listener.removeListener("error", reject);
        resolve();
      });
    });
    listener.on("error", (error) => this.deps.log.warn(caller, "listener failed", { error: error.message }));
    // It never listens itself; this starts its watch over slow headers.
    this.http1.emit("listening");
    const { keepaliveIntervalMs, keepaliveTimeoutMs } = this.options;
    const shortestMs = Math.min(keepaliveIntervalMs, keepaliveTimeoutMs, limits.handshakeTimeoutMs);
    this.stopSweeps = fairInterval(Math.max(10, Math.min(1000, shortestMs / 4)), (nowMs) =>
      this.sweep(nowMs),
    );
    const bound = listener.address();
    return { port: typeof bound === "object" && bound !== null ? bound.port : address.port };
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    const listenerClosed = new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
    this.http1.closeIdleConnections();
    for (const session of [...this.sessions]) session.drain();
    await this.emptied(options.graceMs);
    this.stopSweeps?.();
    for (const session of [...this.sessions]) session.destroy();
    for (const socket of [...this.sockets]) socket.destroy();
    // It is not listening, so its callback gets an error that means nothing.
    this.http1.close(() => {});
    await listenerClosed;
  }

  private createListener(): Server {
    const { tls } = this.options;
    if (tls === undefined) {
      return createNetServer({ noDelay: true }, (socket) => this.accept(socket));
    }
    const listener = createTlsServer({
      ...tls,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: limits.handshakeTimeoutMs,
    });
    // Before the listener's own: it makes the TLS socket, with the certificates of that moment.
    listener.prependListener("connection", (socket: Socket) => {
      this.track(socket);
      const fresh = tls.refreshed();
      if (fresh !== undefined) listener.setSecureContext(fresh);
    });
    listener.on("secureConnection", (socket) => {
      // One that breaks while it waits to be let in is no error of ours.
      socket.on("error", () => {});
      tls.admit(socket).then(
        () => this.acceptSecure(socket),
        (error: Error) => this.reject(socket, error.message),
      );
    });
    listener.on("tlsClientError", (error, socket) => {
      // A certificate that was shown and refused ends the connection without an error of its own.
      this.reject(socket, socket.authorizationError ?? error.message);
    });
    return listener;
  }

  private reject(socket: TLSSocket, error: string | Error): void {
    this.deps.log.warn(caller, `rejected connection on ${this.options.endpoint} endpoint`, {
      "remote-addr": `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`,
      "server-name": servername(socket),
      error,
    });
    socket.destroy();
  }

  private acceptSecure(socket: TLSSocket): void {
    if (socket.destroyed) return;
    if (socket.alpnProtocol === "h2") this.openSession(socket);
    else this.detect(socket);
  }

  private warnDropped(): void {
    this.deps.log.warn(caller, "dropped a connection: too many are open");
  }

  private accept(socket: Socket): void {
    // The listener's own count leaves out those that were taken over.
    if (this.sockets.size >= limits.connectionsMax) {
      socket.destroy();
      this.warnDropped();
      return;
    }
    this.track(socket);
    this.detect(socket);
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => {
      this.sockets.delete(socket);
      if (this.sockets.size === 0) this.whenEmpty?.();
    });
  }

  private detect(socket: Socket): void {
    // A client that resets the connection before it has said anything is no error of ours.
    const ignoreError = (): void => {};
    socket.on("error", ignoreError);
    const cancelTimeout = fairTimeout(limits.handshakeTimeoutMs, () => socket.destroy());
    socket.once("close", cancelTimeout);
    detectProtocol(socket, (protocol) => {
      cancelTimeout();
      if (protocol === "http1") this.http1.emit("connection", socket);
      else if (protocol === "http2") this.openSession(this.ownReads(socket));
      else socket.destroy();
    });
  }

  private ownReads(accepted: Socket): Socket {
    // Ciphertext goes to OpenSSL by another way.
    if (this.options.tls !== undefined) return accepted;
    const socket = takeOver(accepted);
    if (socket !== accepted) this.track(socket);
    return socket;
  }

  private openSession(socket: Socket): void {
    const { options, service } = this;
    const session = new ServerSession(
      {
        role: "server",
        concurrentStreamsMax: Math.min(options.concurrentStreamsMax, limits.connectionStreamsMax),
        keepalive: {
          intervalMs: options.keepaliveIntervalMs,
          timeoutMs: options.keepaliveTimeoutMs,
          peerPingMinMs: options.keepaliveMinTimeMs,
        },
      },
      { socket, service, http: options.http, closed: (closed) => this.sessions.delete(closed) },
    );
    this.sessions.add(session);
    if (this.closing) session.drain();
  }

  private sweep(nowMs: number): void {
    for (const session of this.sessions) session.sweep(nowMs);
  }

  private emptied(graceMs: number): Promise<void> {
    if (this.sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function servername(socket: TLSSocket): string {
  const name = (socket as { readonly servername?: string | false }).servername;
  return typeof name === "string" ? name : "";
}
