/**
 * Peers that break the rules: each gets the answer that the RFC gives, and a well-behaved connection beside it
 * notices nothing. If these fail, one hostile client can take a member down.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorCode } from "../../src/transport/http2/protocol.js";
import { makeCertificates } from "../support/certificates.js";
import { GrpcJsClient } from "./grpc-js-client.js";
import {
  commonMethods,
  frame,
  grpcHead,
  grpcRequest,
  literal,
  message,
  preface,
  RawPeer,
  setting,
  startServer,
  staticTls,
  type TestServer,
  uint32,
  unary,
} from "./support.js";

vi.mock("../../src/base/limits.js", async (original) => {
  const { limits } = (await original()) as typeof import("../../src/base/limits.js");
  return {
    limits: {
      ...limits,
      handshakeTimeoutMs: 200,
      streamResetsBurst: 200,
      streamResetsPerSecond: 1,
      settingsBurst: 20,
      settingsPerSecond: 1,
      idleFramesBurst: 500,
      idleFramesPerSecond: 1,
      connectionReceiveBytesMax: 8 * 1024 * 1024,
    },
  };
});

let server: TestServer;
let neighbour: GrpcJsClient;

beforeAll(async () => {
  const large = unary("Large", () => Buffer.alloc(1024 * 1024, "v"));
  server = await startServer({ methods: [...commonMethods, large], concurrentStreamsMax: 50 });
  neighbour = new GrpcJsClient(server.port);
  await neighbour.unary("Echo", Buffer.from("before"));
});
afterEach(async () => {
  expect(await neighbour.unary("Echo", Buffer.from("unharmed"))).toEqual(Buffer.from("unharmed"));
});
afterAll(async () => {
  neighbour.close();
  await server.close();
});

const { EnhanceYourCalm, FlowControlError, FrameSizeError, ProtocolError, RefusedStream } = ErrorCode;

describe("floods end in ENHANCE_YOUR_CALM", () => {
  test("rapid reset (CVE-2023-44487)", async () => {
    const peer = await RawPeer.open(server.port);
    for (let id = 1; id < 1000; id += 2) {
      peer.send(
        frame(0x1, 0x4, id, grpcHead("/test.Test/Never")),
        frame(0x3, 0, id, uint32(ErrorCode.Cancel)),
      );
    }
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
    await peer.whenClosed();
  });

  test("streams that we are made to reset (CVE-2025-8671)", async () => {
    const peer = await RawPeer.open(server.port);
    for (let id = 1; id < 1000; id += 2) {
      peer.send(frame(0x1, 0x4, id, grpcHead("/test.Test/Never")), frame(0x8, 0, id, uint32(0)));
    }
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
  });

  test.each([
    ["SETTINGS", () => frame(0x4, 0, 0)],
    ["empty DATA", () => frame(0x0, 0, 1)],
    ["PRIORITY", () => frame(0x2, 0, 1, Buffer.of(0, 0, 0, 9, 1))],
    ["unknown frames", () => frame(0x77, 0, 1)],
    ["SETTINGS acknowledgements", () => frame(0x4, 1, 0)],
  ])("%s", async (_name, make) => {
    const peer = await RawPeer.open(server.port);
    peer.send(frame(0x1, 0x4, 1, grpcHead("/test.Test/Never")));
    peer.send(Buffer.concat(Array.from({ length: 2000 }, make)));
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
    await peer.whenClosed();
  });

  test("PING, without any call", async () => {
    const peer = await RawPeer.open(server.port);
    peer.send(Buffer.concat(Array.from({ length: 100 }, () => frame(0x6, 0, 0, Buffer.alloc(8)))));
    const goAway = await peer.frame(({ type }) => type === 0x7);
    expect(goAway.payload.readUInt32BE(4)).toBe(EnhanceYourCalm);
    expect(goAway.payload.toString("latin1", 8)).toBe("too_many_pings");
  });

  test("CONTINUATION without end", async () => {
    const peer = await RawPeer.open(server.port);
    peer.send(frame(0x1, 0, 1, grpcHead("/test.Test/Echo")));
    peer.send(Buffer.concat(Array.from({ length: 200 }, () => frame(0x9, 0, 1, literal("a", "b")))));
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
  });

  test("CONTINUATION with much in it", async () => {
    const peer = await RawPeer.open(server.port);
    peer.send(frame(0x1, 0, 1, grpcHead("/test.Test/Echo")));
    for (let i = 0; i < 6; i++) peer.send(frame(0x9, 0, 1, Buffer.alloc(16_000, 0x82)));
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
  });

  test("PING without end while data flows", async () => {
    const peer = await RawPeer.open(server.port);
    for (let id = 1; id < 4000 && !peer.closed; id += 2) {
      peer.send(grpcRequest(id, "/test.Test/Echo", Buffer.alloc(0)), frame(0x6, 0, 0, Buffer.alloc(8)));
    }
    expect(await peer.goAwayCode()).toBe(EnhanceYourCalm);
  });
});

test("a peer that does not read holds up only itself, and gets everything once it reads", async () => {
  const window = Buffer.concat([
    frame(0x4, 0, 0, setting(4, 0x7fff_ffff)),
    frame(0x8, 0, 0, uint32(0x7000_0000)),
  ]);
  const peer = await RawPeer.connect(server.port);
  peer.send(preface, window);
  await peer.frame(({ type }) => type === 0x4);
  peer.socket.pause();
  // 40 MiB of answers: far more than the buffers of the socket take.
  const ids = Array.from({ length: 40 }, (_, i) => 2 * i + 1);
  for (const id of ids) peer.send(grpcRequest(id, "/test.Test/Large", Buffer.alloc(0)));
  // A refusal that can not be sent yet, and data for it that comes all the same.
  peer.send(frame(0x1, 0x4, 81, grpcHead("/no.Such/Method")), frame(0x0, 0x1, 81, message(Buffer.alloc(10))));
  for (let i = 0; i < 20; i++) await neighbour.unary("Echo", Buffer.from("meanwhile"));
  expect(peer.frames.length).toBeLessThan(20);
  peer.socket.resume();
  const endOf = (id: number): Promise<unknown> => peer.frame((one) => one.streamId === id && one.flags === 5);
  await Promise.all([...ids, 81].map(endOf));
  const received = peer.frames
    .filter(({ type }) => type === 0)
    .reduce((sum, one) => sum + one.payload.length, 0);
  expect(received).toBe(ids.length * (1024 * 1024 + 5));
  peer.destroy();
});

describe("header lists out of bounds", () => {
  test("a bomb of references to one entry resets the stream, and the next request is served", async () => {
    const peer = await RawPeer.open(server.port);
    const entry = Buffer.concat([Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e), Buffer.alloc(4000, "x")]);
    const bomb = Buffer.concat([grpcHead("/test.Test/Echo"), entry, Buffer.alloc(12_000, 0xbe)]);
    peer.send(frame(0x1, 0x5, 1, bomb));
    expect(await peer.resetCode(1)).toBe(EnhanceYourCalm);
    peer.send(grpcRequest(3, "/test.Test/Echo", Buffer.from("ok")));
    const data = await peer.frame(({ type, streamId }) => type === 0x0 && streamId === 3);
    expect(data.payload).toEqual(message(Buffer.from("ok")));
    peer.destroy();
  });
});

describe("flow control that is broken", () => {
  test("a stream's window over 2^31-1 resets the stream", async () => {
    const peer = await RawPeer.open(server.port);
    peer.send(frame(0x1, 0x4, 1, grpcHead("/test.Test/Never")), frame(0x8, 0, 1, uint32(0x7fff_ffff)));
    expect(await peer.resetCode(1)).toBe(FlowControlError);
    peer.destroy();
  });

  test("the connection's window over 2^31-1 ends the connection", async () => {
    const peer = await RawPeer.open(server.port);
    peer.send(frame(0x8, 0, 0, uint32(0x7fff_ffff)));
    expect(await peer.goAwayCode()).toBe(FlowControlError);
  });

  test("an initial window over 2^31-1 ends the connection", async () => {
    const peer = await RawPeer.open(server.port, setting(4, 0x8000_0000));
    expect(await peer.goAwayCode()).toBe(FlowControlError);
  });

  test("data beyond a stream's window resets the stream", async () => {
    const stuck = await startServer({
      methods: [
        {
          kind: "bidi",
          path: "/test.Test/Stuck",
          decode: (bytes: Uint8Array) => bytes,
          encode: (bytes: Uint8Array) => bytes,
          handle: () => new Promise<void>(() => {}),
        },
      ],
    });
    const peer = await RawPeer.open(stuck.port);
    peer.send(frame(0x1, 0x4, 1, grpcHead("/test.Test/Stuck")));
    for (let i = 0; i < 80; i++) peer.send(frame(0x0, 0, 1, message(Buffer.alloc(16_000))));
    expect(await peer.resetCode(1)).toBe(FlowControlError);
    peer.destroy();
    await stuck.close();
  });

  test("unread data of many streams together is bounded", async () => {
    const peer = await RawPeer.open(server.port);
    // Beginnings of messages of 2 MiB that never end.
    const begun = Buffer.concat([Buffer.of(0), uint32(2 * 1024 * 1024), Buffer.alloc(16_000)]);
    for (let id = 1; id < 60; id += 2) peer.send(frame(0x1, 0x4, id, grpcHead("/test.Test/Echo")));
    await peer.settle();
    for (let round = 0; round < 40; round++) {
      for (let id = 1; id < 60; id += 2) {
        peer.send(frame(0x0, 0, id, round === 0 ? begun : Buffer.alloc(16_000)));
      }
    }
    const reset = await peer.frame(({ type }) => type === 0x3);
    expect(reset.payload.readUInt32BE(0)).toBe(EnhanceYourCalm);
    peer.destroy();
  });
});

describe("frames that are wrong in themselves", () => {
  test.each([
    ["a frame over 16,384 bytes", frame(0x0, 0, 1, Buffer.alloc(16_385)), FrameSizeError],
    ["PUSH_PROMISE", frame(0x5, 0x4, 1, uint32(2)), ProtocolError],
    ["PING of 7 bytes", frame(0x6, 0, 0, Buffer.alloc(7)), FrameSizeError],
    ["DATA on stream 0", frame(0x0, 0, 0), ProtocolError],
    ["DATA on an idle stream", frame(0x0, 0, 9), ProtocolError],
    ["RST_STREAM on an idle stream", frame(0x3, 0, 9, uint32(8)), ProtocolError],
    ["HEADERS on an even stream", frame(0x1, 0x5, 2, grpcHead("/a/b")), ProtocolError],
    ["CONTINUATION out of the blue", frame(0x9, 0x4, 1), ProtocolError],
    ["more padding than payload", frame(0x1, 0xc, 1, Buffer.of(9, 0x82)), ProtocolError],
    ["SETTINGS of 5 bytes", frame(0x4, 0, 0, Buffer.alloc(5)), FrameSizeError],
    ["GOAWAY of 4 bytes", frame(0x7, 0, 0, Buffer.alloc(4)), FrameSizeError],
    [
      "a header block that does not decode",
      frame(0x1, 0x5, 1, Buffer.of(0xff, 0xff)),
      ErrorCode.CompressionError,
    ],
  ])("%s", async (_name, bytes, code) => {
    const peer = await RawPeer.open(server.port);
    peer.send(bytes);
    expect(await peer.goAwayCode()).toBe(code);
    await peer.whenClosed();
  });

  test("a first frame that is not SETTINGS", async () => {
    const peer = await RawPeer.connect(server.port);
    peer.send(preface, frame(0x6, 0, 0, Buffer.alloc(8)));
    expect(await peer.goAwayCode()).toBe(ProtocolError);
  });

  test("more streams than allowed are refused, and the others live", async () => {
    const peer = await RawPeer.open(server.port);
    for (let id = 1; id <= 101; id += 2) peer.send(frame(0x1, 0x4, id, grpcHead("/test.Test/Never")));
    expect(await peer.resetCode(101)).toBe(RefusedStream);
    expect(peer.frames.filter(({ type }) => type === 0x3)).toHaveLength(1);
    peer.destroy();
  });
});

describe("connections that are slow or say nothing sensible", () => {
  test.each([
    ["nothing at all", Buffer.alloc(0)],
    ["half a preface", preface.subarray(0, 11)],
    ["a preface and no SETTINGS", preface],
    ["half of its SETTINGS", Buffer.concat([preface, frame(0x4, 0, 0).subarray(0, 5)])],
    [
      "a header block that does not go on",
      Buffer.concat([preface, frame(0x4, 0, 0), frame(0x1, 0, 1, grpcHead("/a/b"))]),
    ],
    ["half an HTTP/1.1 request", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n")],
  ])("%s: closed after the header timeout", { timeout: 40_000 }, async (_name, bytes) => {
    const peer = await RawPeer.connect(server.port);
    if (bytes.length > 0) peer.send(bytes);
    await peer.whenClosed();
  });

  test("a TLS handshake that does not end: closed after the handshake timeout", async () => {
    const { cert, key } = makeCertificates().server;
    const secure = await startServer({
      tls: { cert, key, requestCert: false, rejectUnauthorized: false, ...staticTls },
    });
    for (const bytes of [Buffer.alloc(0), Buffer.from("16030102000100", "hex")]) {
      const peer = await RawPeer.connect(secure.port);
      if (bytes.length > 0) peer.send(bytes);
      await peer.whenClosed();
    }
    await secure.close();
  });

  test.each([
    ["random bytes", Buffer.from("1603010200010001fc0303", "hex")],
    ["a text of another protocol", Buffer.from("HELO example.org\r\n")],
  ])("%s: closed at once", async (_name, bytes) => {
    const peer = await RawPeer.connect(server.port);
    peer.send(bytes);
    await peer.whenClosed();
  });
});
