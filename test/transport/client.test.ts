/** The client half, against our server and against that of @grpc/grpc-js: peer links depend on it. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type CallEvents,
  connectGrpc,
  type GrpcChannel,
  type GrpcChannelOptions,
} from "../../src/transport/http2/client.js";
import { type RpcStatus, StatusCode } from "../../src/transport/rpc.js";
import { makeCertificates } from "../support/certificates.js";
import { bidi, commonMethods, RawPeer, startServer, staticTls, type TestServer } from "./support.js";

const channelOptions: Omit<GrpcChannelOptions, "port"> = {
  host: "127.0.0.1",
  tls: undefined,
  receiveBytesMax: 8 * 1024 * 1024,
  connectTimeoutMs: 2000,
  keepaliveIntervalMs: 60_000,
  keepaliveTimeoutMs: 10_000,
};
const noMetadata = { timeoutMs: undefined, metadata: {} };

/** Collects the events of a call. */
function collector(onMessage: (bytes: Uint8Array) => void = () => {}) {
  const messages: Buffer[] = [];
  let drained = (): void => {};
  let ended: (status: RpcStatus) => void = () => {};
  const end = new Promise<RpcStatus>((resolve) => {
    ended = resolve;
  });
  const events: CallEvents = {
    onMessage: (bytes) => {
      messages.push(Buffer.from(bytes));
      onMessage(bytes);
    },
    onDrain: () => drained(),
    onEnd: (status) => ended(status),
  };
  const drain = (): Promise<void> =>
    new Promise((resolve) => {
      drained = resolve;
    });
  return { messages, events, end, drain };
}

async function grpcJsServer(): Promise<{ port: number; close: () => Promise<void> }> {
  const same = (bytes: Buffer): Buffer => bytes;
  const definition = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  server.addService(
    {
      Echo: { path: "/test.Test/Echo", requestStream: false, responseStream: false, ...definition },
      Fail: { path: "/test.Test/Fail", requestStream: false, responseStream: false, ...definition },
      Never: { path: "/test.Test/Never", requestStream: false, responseStream: false, ...definition },
      EchoStream: { path: "/test.Test/EchoStream", requestStream: true, responseStream: true, ...definition },
    },
    {
      Echo: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request),
      Fail: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
        done({ code: StatusCode.OutOfRange, details: "100 % of ½ is gone\n" }),
      Never: () => {},
      EchoStream: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (bytes: Buffer) => call.write(bytes));
        call.on("end", () => call.end());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, close: async () => server.forceShutdown() };
}

describe.each([
  [
    "our server",
    async (): Promise<{ port: number; close: () => Promise<void> }> =>
      startServer({ receiveBytesMax: 8 * 1024 * 1024 }),
  ],
  ["the server of grpc-js", grpcJsServer],
])("against %s", (_name, start) => {
  let server: { port: number; close: () => Promise<void> };
  let channel: GrpcChannel;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    channel = await connectGrpc({ ...channelOptions, port: server.port });
  });
  afterEach(() => channel.close());

  test("unary calls, many at once and large ones", async () => {
    const bodies = Array.from({ length: 100 }, (_, i) => randomBytes(i * 10));
    bodies.push(randomBytes(3 * 1024 * 1024));
    const answers = await Promise.all(
      bodies.map((body) => channel.unary("/test.Test/Echo", body, noMetadata)),
    );
    for (const [i, answer] of answers.entries()) expect(bodies[i]!.equals(answer)).toBe(true);
  });

  test("a failure has its code and text", async () => {
    const call = channel.unary("/test.Test/Fail", Buffer.alloc(0), noMetadata);
    await expect(call).rejects.toMatchObject({
      code: StatusCode.OutOfRange,
      message: "100 % of ½ is gone\n",
    });
  });

  test("a deadline ends the call", async () => {
    const call = channel.unary("/test.Test/Never", Buffer.alloc(0), { timeoutMs: 50, metadata: {} });
    await expect(call).rejects.toMatchObject({ code: StatusCode.DeadlineExceeded });
  });

  test("a stream carries 50 MB both ways, with waiting where the other side is slow", async () => {
    const { messages, events, end, drain } = collector();
    const stream = channel.openStream("/test.Test/EchoStream", {}, events);
    const chunk = randomBytes(256 * 1024);
    let waits = 0;
    for (let i = 0; i < 200; i++) {
      if (!stream.write([chunk.subarray(0, 100), chunk.subarray(100)])) {
        waits++;
        await drain();
      }
    }
    stream.end();
    expect((await end).code).toBe(StatusCode.Ok);
    expect(messages).toHaveLength(200);
    expect(messages.every((message) => message.equals(chunk))).toBe(true);
    expect(waits).toBeGreaterThan(0);
  });

  test("a cancelled stream ends once, and others go on", async () => {
    const { events, end } = collector();
    const stream = channel.openStream("/test.Test/EchoStream", {}, events);
    stream.write(Buffer.from("x"));
    stream.cancel();
    expect((await end).code).toBe(StatusCode.Canceled);
    expect(stream.write(Buffer.from("y"))).toBe(false);
    expect(await channel.unary("/test.Test/Echo", Buffer.from("z"), noMetadata)).toEqual(Buffer.from("z"));
  });

  test("calls after close are Unavailable, and the listener is told", async () => {
    const { events, end } = collector();
    channel.openStream("/test.Test/EchoStream", {}, events);
    const closed = new Promise<string>((resolve) => channel.onClose(resolve));
    channel.close();
    expect((await end).code).toBe(StatusCode.Unavailable);
    expect(await closed).toBe("the channel was closed");
    const late = channel.unary("/test.Test/Echo", Buffer.alloc(0), noMetadata);
    await expect(late).rejects.toMatchObject({ code: StatusCode.Unavailable });
  });
});

describe("links that break", () => {
  test("a refused connection rejects with the socket's error", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => probe.once("listening", resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    await expect(connectGrpc({ ...channelOptions, port })).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a server that accepts and never answers is found out by keep-alive", async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as { port: number };
    const channel = await connectGrpc({
      ...channelOptions,
      port,
      keepaliveIntervalMs: 50,
      keepaliveTimeoutMs: 50,
    });
    expect(await new Promise((resolve) => channel.onClose(resolve))).toBe("keepalive ping failed");
    silent.close();
  });

  test("a server that stops ends streams and says so; unary calls in hand finish", async () => {
    let release = (): void => {};
    const server = await startServer({
      methods: [
        ...commonMethods,
        {
          kind: "unary",
          path: "/test.Test/Wait",
          decode: (bytes: Uint8Array) => bytes,
          encode: (bytes: Uint8Array) => bytes,
          handle: (request: Uint8Array) =>
            new Promise<Uint8Array>((resolve) => {
              release = () => resolve(request);
            }),
        },
      ],
    });
    const channel = await connectGrpc({ ...channelOptions, port: server.port });
    const { events, end } = collector();
    channel.openStream("/test.Test/EchoStream", {}, events);
    const call = channel.unary("/test.Test/Wait", Buffer.from("in hand"), noMetadata);
    await channel.unary("/test.Test/Echo", Buffer.alloc(0), noMetadata);
    const wentAway = new Promise((resolve) => channel.onClose(resolve));
    const closed = server.server.close({ graceMs: 5000 });
    expect((await end).code).toBe(StatusCode.Unavailable);
    await wentAway;
    release();
    expect(await call).toEqual(Buffer.from("in hand"));
    await closed;
    expect(server.server.connectionCount).toBe(0);
  });
});

test("links under TLS", async () => {
  const { ca, server: pair } = makeCertificates();
  const server = await startServer({
    tls: { ...pair, requestCert: false, rejectUnauthorized: false, ...staticTls },
  });
  await expect(connectGrpc({ ...channelOptions, port: server.port, tls: {} })).rejects.toThrow();
  const channel = await connectGrpc({ ...channelOptions, port: server.port, tls: { ca } });
  const body = randomBytes(1_000_000);
  expect(body.equals(await channel.unary("/test.Test/Echo", body, noMetadata))).toBe(true);
  channel.close();
  await server.close();
});

describe("the life of a server's connections", () => {
  let server: TestServer;
  afterEach(() => server.close());

  test("a quiet connection is pinged, and closed when no answer comes", async () => {
    server = await startServer({ keepaliveIntervalMs: 60, keepaliveTimeoutMs: 60 });
    const peer = await RawPeer.open(server.port);
    await peer.frame(({ type, flags }) => type === 0x6 && flags === 0);
    await peer.whenClosed();
  });

  test("a stopping server sends GOAWAY in two steps", async () => {
    server = await startServer();
    const peer = await RawPeer.open(server.port);
    await peer.frame(({ type }) => type === 0x4);
    const closed = server.server.close({ graceMs: 300 });
    const first = await peer.frame(({ type }) => type === 0x7);
    expect(first.payload.readUInt32BE(0)).toBe(0x7fff_ffff);
    const ping = await peer.frame(({ type, flags }) => type === 0x6 && flags === 0);
    peer.send(Buffer.concat([Buffer.of(0, 0, 8, 6, 1, 0, 0, 0, 0), ping.payload]));
    const last = await peer.frame((one) => one.type === 0x7 && one !== first);
    expect(last.payload.readUInt32BE(0)).toBe(0);
    await peer.whenClosed();
    await closed;
  });

  test("ten thousand streams stay open on ten connections, and each still answers", {
    timeout: 60_000,
  }, async () => {
    server = await startServer({
      methods: [
        bidi("EchoStream", async (requests, _call, sink) => {
          for await (const request of requests) sink.write(request);
        }),
      ],
    });
    const channels = await Promise.all(
      Array.from({ length: 10 }, () => connectGrpc({ ...channelOptions, port: server.port })),
    );
    const streams = channels.flatMap((channel) =>
      Array.from({ length: 1000 }, () => {
        let next: (bytes: Uint8Array) => void = () => {};
        const stream = channel.openStream(
          "/test.Test/EchoStream",
          {},
          {
            onMessage: (bytes) => next(bytes),
            onDrain: () => {},
            onEnd: () => {},
          },
        );
        const ask = (text: string): Promise<string> =>
          new Promise((resolve) => {
            next = (bytes) => resolve(Buffer.from(bytes).toString());
            stream.write(Buffer.from(text));
          });
        return ask;
      }),
    );
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(streams.map((ask, i) => ask(`${round} ${i}`)));
      expect(answers).toEqual(streams.map((_, i) => `${round} ${i}`));
    }
    for (const channel of channels) channel.close();
  });
});
