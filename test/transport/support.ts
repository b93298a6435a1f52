/** What the transport's tests share: a server with a few methods, and a peer that speaks bare frames. */
import { connect, type Socket } from "node:net";
import { type Logger, silentLogger } from "../../src/base/logger.js";
import type { MetricRegistry } from "../../src/base/metrics.js";
import { createGrpcServer } from "../../src/transport/http2/server.js";
import {
  type BidiMethod,
  type RpcMethod,
  RpcStatus,
  type ServerStreamMethod,
  StatusCode,
  type UnaryMethod,
} from "../../src/transport/rpc.js";
import type {
  HttpHandler,
  TransportServer,
  TransportServerOptions,
} from "../../src/transport/server-contract.js";

const raw = { decode: (bytes: Uint8Array) => bytes, encode: (bytes: Uint8Array) => bytes };
type Bytes = Uint8Array;

export function unary(name: string, handle: UnaryMethod<Bytes, Bytes>["handle"]): UnaryMethod<Bytes, Bytes> {
  return { kind: "unary", path: `/test.Test/${name}`, ...raw, handle };
}

export function serverStream(
  name: string,
  handle: ServerStreamMethod<Bytes, Bytes>["handle"],
): ServerStreamMethod<Bytes, Bytes> {
  return { kind: "serverStream", path: `/test.Test/${name}`, ...raw, handle };
}

export function bidi(name: string, handle: BidiMethod<Bytes, Bytes>["handle"]): BidiMethod<Bytes, Bytes> {
  return { kind: "bidi", path: `/test.Test/${name}`, ...raw, handle };
}

/** Methods that most tests use. */
export const commonMethods: readonly RpcMethod[] = [
  unary("Echo", (request) => request),
  unary("EchoLater", (request) => new Promise((resolve) => setImmediate(() => resolve(request)))),
  unary("Never", () => new Promise(() => {})),
  unary("Fail", () => {
    throw new RpcStatus(StatusCode.OutOfRange, "100 % of ½ is gone\n", Buffer.from("details"));
  }),
  bidi("EchoStream", async (requests, _call, sink) => {
    for await (const request of requests) if (!sink.write(request)) await sink.drained();
  }),
];

/** Answers with what it understood, so that a test can look at it. */
export const echoHttp: HttpHandler = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "x-seen": "yes" });
    const body = Buffer.concat(chunks);
    const { method, url, httpVersion, headers } = request;
    response.end(JSON.stringify({ method, url, httpVersion, host: headers.host, bytes: body.length }));
  });
};

export const defaultOptions: TransportServerOptions = {
  methods: commonMethods,
  mapError: (error) =>
    new RpcStatus(StatusCode.Internal, error instanceof Error ? error.message : String(error)),
  http: echoHttp,
  endpoint: "client",
  tls: undefined,
  receiveBytesMax: 2 * 1024 * 1024,
  concurrentStreamsMax: 0xffff_ffff,
  keepaliveMinTimeMs: 5_000,
  keepaliveIntervalMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
};

/** TLS with certificates that stay as they are, open to all whom the handshake lets in. */
export const staticTls = { refreshed: () => undefined, admit: async () => {} } as const;

export interface TestServer {
  readonly server: TransportServer;
  readonly port: number;
  close(): Promise<void>;
}

export async function startServer(
  options: Partial<TransportServerOptions> = {},
  log: Logger = silentLogger,
  calls?: MetricRegistry,
): Promise<TestServer> {
  const server = createGrpcServer({ ...defaultOptions, ...options }, { log, calls });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  return { server, port, close: () => server.close({ graceMs: 0 }) };
}

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.of(id >> 8, id & 0xff), uint32(value)]);
}

/** One gRPC message. */
export function message(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0), uint32(bytes.length), bytes]);
}

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** A client that sends whatever a test wants and keeps what comes back. */
export class RawPeer {
  readonly frames: RawFrame[] = [];
  closed = false;
  private rest = Buffer.alloc(0);
  private waiters: (() => void)[] = [];

  private constructor(readonly socket: Socket) {
    socket.on("data", (chunk: Buffer) => this.received(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.wake();
    });
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = connect({ host: "127.0.0.1", port });
    const peer = new RawPeer(socket);
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    return peer;
  }

  /** Connected, with preface and empty SETTINGS sent. */
  static async open(port: number, settings: Uint8Array = Buffer.alloc(0)): Promise<RawPeer> {
    const peer = await RawPeer.connect(port);
    peer.send(preface, frame(0x4, 0, 0, settings));
    return peer;
  }

  send(...pieces: Uint8Array[]): void {
    this.socket.write(Buffer.concat(pieces));
  }

  /** The first frame that fits, once it has come; rejects when the connection closes without it. */
  async frame(fits: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found !== undefined) return found;
      if (this.closed) throw new Error("closed without the frame");
      await this.change();
    }
  }

  /** Error code of the GOAWAY that must come. */
  async goAwayCode(): Promise<number> {
    const goAway = await this.frame(({ type, payload }) => type === 0x7 && payload.readUInt32BE(4) !== 0);
    return goAway.payload.readUInt32BE(4);
  }

  async resetCode(streamId: number): Promise<number> {
    const reset = await this.frame((one) => one.type === 0x3 && one.streamId === streamId);
    return reset.payload.readUInt32BE(0);
  }

  async whenClosed(): Promise<void> {
    while (!this.closed) await this.change();
  }

  /** Round trip: everything sent before was dealt with. */
  async settle(): Promise<void> {
    const payload = Buffer.from(String(Math.random()).slice(2, 10).padEnd(8, "0"));
    this.send(frame(0x6, 0, 0, payload));
    await this.frame(({ type, flags, payload: got }) => type === 0x6 && flags === 1 && got.equals(payload));
  }

  destroy(): void {
    this.socket.destroy();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }

  private received(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 9) {
      const length = this.rest.readUIntBE(0, 3);
      if (this.rest.length < 9 + length) break;
      this.frames.push({
        type: this.rest[3]!,
        flags: this.rest[4]!,
        streamId: this.rest.readUInt32BE(5) & 0x7fff_ffff,
        payload: Buffer.from(this.rest.subarray(9, 9 + length)),
      });
      this.rest = this.rest.subarray(9 + length);
    }
    this.wake();
  }
}

/** A literal field without indexing (RFC 7541, section 6.2.2), names and values under 127 bytes. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.of(0, name.length),
    Buffer.from(name, "latin1"),
    Buffer.of(value.length),
    Buffer.from(value, "latin1"),
  ]);
}

/** Header block of a gRPC request. */
export function grpcHead(path: string, extra: readonly (readonly [string, string])[] = []): Buffer {
  return Buffer.concat([
    Buffer.of(0x83, 0x86),
    literal(":path", path),
    literal("content-type", "application/grpc"),
    literal("te", "trailers"),
    ...extra.map(([name, value]) => literal(name, value)),
  ]);
}

/** HEADERS and DATA of a unary call. */
export function grpcRequest(streamId: number, path: string, body: Uint8Array): Buffer {
  return Buffer.concat([frame(0x1, 0x4, streamId, grpcHead(path)), frame(0x0, 0x1, streamId, message(body))]);
}
