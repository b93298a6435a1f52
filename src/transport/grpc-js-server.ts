/**
 * Serves methods by @grpc/grpc-js, with HTTP/1.1 beside it on the same port: the first bytes of a connection
 * tell which of the two it is. The second implementation of server-contract.ts: it is there to compare with.
 *
 * Not implemented here: HTTP/2 requests that are not gRPC (they get grpc-js's answer), TLS, the counting of calls.
 */

import type { EventEmitter } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Writable } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import { concatBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import {
  type BidiMethod,
  type CallContext,
  type ErrorMapper,
  type ResponseSink,
  type RpcMethod,
  RpcStatus,
  type ServerStreamMethod,
  StatusCode,
  type UnaryMethod,
} from "./rpc.js";
import type { TransportServer, TransportServerDeps, TransportServerOptions } from "./server-contract.js";

type AnyServerCall =
  | grpc.ServerUnaryCall<unknown, unknown>
  | grpc.ServerWritableStream<unknown, unknown>
  | grpc.ServerDuplexStream<unknown, unknown>;

const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export function createGrpcJsServer(
  options: TransportServerOptions,
  deps: TransportServerDeps,
): TransportServer {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.receiveBytesMax,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": Math.min(options.concurrentStreamsMax, 0x7fff_ffff),
    "grpc.keepalive_time_ms": options.keepaliveIntervalMs,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
  });
  for (const method of options.methods) registerMethod(server, method, options.mapError);
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const http1 = createHttpServer(options.http);
  const open = new Set<Socket>();

  const tcp = createTcpServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", (error) =>
      deps.log.debug("transport/grpc-js", "connection failed", { error: error.message }),
    );
    sniff(socket, (isHttp2) => {
      if (isHttp2) injector.injectConnection(socket);
      else http1.emit("connection", socket);
    });
  });

  return {
    get connectionCount() {
      return open.size;
    },
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        tcp.once("error", reject);
        tcp.listen({ host, port }, () => {
          tcp.off("error", reject);
          resolve({ port: (tcp.address() as AddressInfo).port });
        });
      }),
    async close({ graceMs }) {
      const closed = new Promise<void>((resolve) => tcp.close(() => resolve()));
      injector.drain(graceMs);
      const timer = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, graceMs);
      server.forceShutdown();
      http1.closeAllConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Reads until the bytes differ from the HTTP/2 preface or are it, and puts them back. */
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), limits.connectionSniffMs);
  socket.once("close", () => clearTimeout(timer));
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, http2Preface.length);
    const matches = seen.subarray(0, length).equals(http2Preface.subarray(0, length));
    if (matches && length < http2Preface.length) return;
    clearTimeout(timer);
    socket.off("readable", onReadable);
    socket.unshift(seen);
    decide(matches);
  };
  socket.on("readable", onReadable);
}

function registerMethod(server: grpc.Server, method: RpcMethod, mapError: ErrorMapper): void {
  const serialize = (response: unknown): Buffer => {
    const encoded = method.encode(response) as Uint8Array | readonly Uint8Array[];
    const bytes = encoded instanceof Uint8Array ? encoded : concatBytes(encoded);
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  // grpc-js gives the error of a failed parse a status of its own, so bytes are decoded inside the handler.
  const deserialize = (bytes: Buffer): Buffer => bytes;
  switch (method.kind) {
    case "unary":
      server.register(method.path, unaryHandler(method, mapError), serialize, deserialize, "unary");
      return;
    case "serverStream":
      server.register(method.path, streamHandler(method, mapError), serialize, deserialize, "serverStream");
      return;
    case "bidi":
      server.register(method.path, bidiHandler(method, mapError), serialize, deserialize, "bidi");
      return;
  }
}

function unaryHandler(
  method: UnaryMethod<unknown, unknown>,
  mapError: ErrorMapper,
): grpc.handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    (async () => method.handle(decodeRequest(method, call.request as Buffer), contextOf(call)))().then(
      (response) => callback(null, response),
      (error: unknown) => callback(serviceError(mapError(error))),
    );
  };
}

function streamHandler(
  method: ServerStreamMethod<unknown, unknown>,
  mapError: ErrorMapper,
): grpc.handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    (async () =>
      method.handle(decodeRequest(method, call.request as Buffer), contextOf(call), sinkOf(call)))().then(
      () => call.end(),
      (error: unknown) => call.emit("error", serviceError(mapError(error))),
    );
  };
}

function bidiHandler(
  method: BidiMethod<unknown, unknown>,
  mapError: ErrorMapper,
): grpc.handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const requests = (async function* () {
      try {
        for await (const bytes of call) yield decodeRequest(method, bytes as Buffer);
      } catch (error) {
        // Node reports a stream that the client or the network ended as an error of the iteration.
        throw call.cancelled ? new RpcStatus(StatusCode.Canceled, "context canceled") : error;
      }
    })();
    method.handle(requests, contextOf(call), sinkOf(call)).then(
      () => call.end(),
      (error: unknown) => call.emit("error", serviceError(mapError(error))),
    );
  };
}

function decodeRequest(method: RpcMethod, bytes: Buffer): unknown {
  try {
    return method.decode(bytes);
  } catch (error) {
    throw new RpcStatus(
      StatusCode.Internal,
      `grpc: failed to unmarshal the received message: ${String(error)}`,
    );
  }
}

function serviceError(status: RpcStatus): Partial<grpc.StatusObject> & Error {
  const metadata = new grpc.Metadata();
  if (status.details !== undefined) metadata.set("grpc-status-details-bin", Buffer.from(status.details));
  return Object.assign(new Error(status.message), {
    code: status.code as number,
    details: status.message,
    metadata,
  });
}

function contextOf(call: AnyServerCall): CallContext {
  const deadline = call.getDeadline();
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return {
    metadata: (key) => {
      const value = call.metadata.get(key)[0];
      return typeof value === "string" ? value : undefined;
    },
    peer: call.getPeer(),
    certificateCommonName: undefined,
    timeoutMs: Number.isFinite(deadlineMs) ? Math.max(0, deadlineMs - Date.now()) : undefined,
    onCancel: (listener) => {
      if (call.cancelled) listener();
      else (call as EventEmitter).once("cancelled", listener);
    },
    get cancelled() {
      return call.cancelled;
    },
  };
}

function sinkOf(
  call: grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>,
): ResponseSink<unknown> {
  const stream: Writable & { readonly cancelled: boolean } = call;
  return {
    write: (response) => stream.write(response),
    drained: () =>
      new Promise((resolve, reject) => {
        if (stream.cancelled) return reject(new RpcStatus(StatusCode.Canceled, "context canceled"));
        stream.once("drain", resolve);
        stream.once("cancelled", () => reject(new RpcStatus(StatusCode.Canceled, "context canceled")));
      }),
  };
}
