/** What a server does with one HTTP/2 connection: requests become gRPC calls or HTTP exchanges. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { RpcStatus, StatusCode } from "../rpc.js";
import type { HttpHandler } from "../server-contract.js";
import { acceptedEncodings } from "./compression.js";
import { Connection, type ConnectionOptions, type ConnectionOwner } from "./connection.js";
import { type CallSession, GrpcCall } from "./grpc-call.js";
import type { GrpcService, PeerIdentity } from "./grpc-service.js";
import { parseTimeoutMs, trailersOnly } from "./grpc-status.js";
import { BidiCall } from "./grpc-stream-call.js";
import { ServerStreamCall, UnaryCall } from "./grpc-unary-call.js";
import { encodeHeaders } from "./hpack-encoder.js";
import { HttpExchange } from "./http-bridge.js";
import type { RequestHead } from "./request-head.js";
import type { Stream, StreamHandler } from "./stream.js";

export interface ServerSessionDeps {
  readonly socket: Socket;
  readonly service: GrpcService;
  readonly http: HttpHandler;
  readonly closed: (session: ServerSession) => void;
}

export class ServerSession implements ConnectionOwner {
  private readonly connection: Connection;
  private readonly session: CallSession;

  constructor(
    options: ConnectionOptions,
    private readonly deps: ServerSessionDeps,
  ) {
    const { socket, service } = deps;
    this.connection = new Connection(options, { socket, owner: this });
    this.session = { service, connection: this.connection, peer: identify(socket) };
  }

  request(stream: Stream, head: RequestHead, endStream: boolean): StreamHandler | undefined {
    if (isGrpc(head.contentType)) return this.call(stream, head, endStream);
    const exchange = new HttpExchange(head, { connection: this.connection, stream });
    exchange.start(this.deps.http, endStream);
    return exchange;
  }

  /** A client that goes away closes the connection by itself. */
  goAway(): void {}

  closedConnection(): void {
    this.deps.closed(this);
  }

  sweep(nowMs: number): void {
    this.connection.sweep(nowMs);
  }

  /** Takes no new requests, ends streaming calls, and closes once the unary ones are answered. */
  drain(): void {
    this.connection.drain();
    for (const { handler } of this.connection.streams.list()) {
      if (handler instanceof GrpcCall && !(handler instanceof UnaryCall)) {
        handler.abort(new RpcStatus(StatusCode.Unavailable, "transport is closing"));
      }
    }
  }

  destroy(): void {
    this.connection.destroy("the server stopped");
  }

  private call(stream: Stream, head: RequestHead, endStream: boolean): StreamHandler | undefined {
    const { service } = this.deps;
    const refusal = refuse(head);
    if (refusal !== undefined) return this.refused(stream, refusal);
    const served = service.find(head.path);
    if (served === undefined) return this.refused(stream, trailersOnly(service.unknownMethod(head.path)));
    const { method, meter } = served;
    meter.started.add();
    const deps = { session: this.session, stream, meter };
    if (method.kind === "bidi") {
      const call = new BidiCall(method, head, deps);
      call.start(endStream);
      return call;
    }
    const call =
      method.kind === "unary" ? new UnaryCall(method, head, deps) : new ServerStreamCall(method, head, deps);
    if (endStream) call.requestsEnded();
    return call;
  }

  private refused(stream: Stream, block: Buffer): undefined {
    this.connection.sender.end(stream, block);
  }
}

/** "application/grpc", alone or with a codec ("+proto") or parameters behind it. */
function isGrpc(contentType: string): boolean {
  if (contentType === "application/grpc") return true;
  return contentType.startsWith("application/grpc+") || contentType.startsWith("application/grpc;");
}

/** The answer to a call that can not be served whatever its method, as grpc-go gives it; undefined for a good one. */
function refuse(head: RequestHead): Buffer | undefined {
  if (head.method !== "POST") {
    const text = `Received a HEADERS frame with :method "${head.method}" which should be POST`;
    return trailersOnly(new RpcStatus(StatusCode.Internal, text), 405);
  }
  for (const { name, value } of head.fields) {
    if (name === "grpc-timeout" && parseTimeoutMs(value) === undefined) {
      const text = `malformed grpc-timeout: transport: timeout unit is not recognized: "${value}"`;
      return trailersOnly(new RpcStatus(StatusCode.Internal, text), 400);
    }
    if (name === "grpc-encoding" && value !== "gzip" && value !== "identity") {
      const text = `grpc: Decompressor is not installed for grpc-encoding "${value}"`;
      const status = new RpcStatus(StatusCode.Unimplemented, text);
      return Buffer.concat([
        trailersOnly(status),
        encodeHeaders([["grpc-accept-encoding", acceptedEncodings]]),
      ]);
    }
  }
  return undefined;
}

function identify(socket: Socket): PeerIdentity {
  const host = socket.remoteAddress ?? "";
  const address = `${host.includes(":") ? `[${host}]` : host}:${socket.remotePort ?? 0}`;
  const certificate =
    socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
  // A name that occurs twice comes as a list; Go takes the first of them as well.
  const name: string | readonly string[] | undefined = certificate?.subject?.CN;
  return { address, certificateCommonName: typeof name === "object" ? name[0] : name };
}
