import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader } from "../../src/transport/http2/frame-reader.js";
import { MessageReader } from "../../src/transport/http2/grpc-framing.js";
import { ConnectionError, ErrorCode } from "../../src/transport/http2/protocol.js";
import { RpcStatus } from "../../src/transport/rpc.js";
import { frame, message, uint32 } from "./support.js";

interface Seen {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

function readAll(chunks: readonly Buffer[]): Seen[] {
  const seen: Seen[] = [];
  const reader = new FrameReader({
    frame: (type, flags, streamId, bytes, start, end) => {
      seen.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(start, end)) });
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

/** The same bytes, cut at arbitrary places. */
function cutting(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const anyFrame = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  streamId: fc.nat(0x7fff_ffff),
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
});

test("frames are the same however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat()), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map((one) => frame(one.type, one.flags, one.streamId, one.payload)));
      expect(readAll(cutting(bytes, cuts))).toEqual(frames);
    }),
  );
});

test("a frame over 16,384 bytes is refused by its header alone, in one piece or byte by byte", () => {
  const header = frame(0x0, 0, 1, Buffer.alloc(16_385)).subarray(0, 9);
  for (const chunks of [[header], [...header].map((byte) => Buffer.of(byte))]) {
    let caught: unknown;
    try {
      readAll([...chunks, Buffer.of(0)]);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ConnectionError);
    expect((caught as ConnectionError).code).toBe(ErrorCode.FrameSizeError);
  }
});

test("gRPC messages are the same however the data is cut", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
  fc.assert(
    fc.property(bodies, fc.array(fc.nat()), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(message));
      const seen: Buffer[] = [];
      const reader = new MessageReader(100, (one) => seen.push(Buffer.from(one)));
      for (const chunk of cutting(bytes, cuts)) reader.push(chunk, 0, chunk.length);
      expect(seen).toEqual(messages.map((one) => Buffer.from(one)));
      expect(reader.atBoundary).toBe(true);
    }),
  );
});

test("a small message does not keep a large chunk alive", () => {
  const chunk = Buffer.alloc(65_536);
  message(Buffer.from("key")).copy(chunk, 100);
  let kept: Uint8Array | undefined;
  new MessageReader(100, (bytes) => {
    kept = bytes;
  }).push(chunk, 100, 108);
  expect(Buffer.from(kept!)).toEqual(Buffer.from("key"));
  expect(kept!.buffer).not.toBe(chunk.buffer);
});

test("a message over the bound is refused before its bytes come", () => {
  const reader = new MessageReader(100, () => {});
  const begun = Buffer.concat([Buffer.of(0), uint32(101)]);
  expect(() => reader.push(begun, 0, 5)).toThrow(RpcStatus);
});
