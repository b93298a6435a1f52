/** What a connection sends, by frames: windows are kept to, nobody starves, nothing is lost or out of order. */
import type { Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lendAnswerPiece, takeAnswerPiece } from "../../src/base/answer-pieces.js";
import { limits } from "../../src/base/limits.js";
import { FlowWindows } from "../../src/transport/http2/flow-control.js";
import { encodeHeaders } from "../../src/transport/http2/hpack-encoder.js";
import { Output } from "../../src/transport/http2/output.js";
import { Sender } from "../../src/transport/http2/sender.js";
import { Stream, type StreamHandler } from "../../src/transport/http2/stream.js";

interface Sent {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const data = 0x0;
const headers = 0x1;
const continuation = 0x9;
const head = encodeHeaders([["a", "head"]]);
const trailers = encodeHeaders([["a", "trailers"]]);
const nothing = Buffer.alloc(0);

/** As much of a socket as Output needs: it keeps what is written, and is full when a test says so. */
class FakeSocket {
  written: Buffer[] = [];
  full = false;

  get writableNeedDrain(): boolean {
    return this.full;
  }

  get writableLength(): number {
    return this.full ? 1 : 0;
  }

  /** What waits to be told that it was sent. */
  readonly unsent: (() => void)[] = [];

  write(piece: Uint8Array, sent?: () => void): void {
    this.written.push(Buffer.from(piece));
    if (sent !== undefined) this.unsent.push(sent);
  }

  cork(): void {}
  uncork(): void {}
}

class Fixture {
  readonly socket = new FakeSocket();
  readonly output = new Output(this.socket as unknown as Socket);
  readonly ended: number[] = [];
  readonly windows = new FlowWindows(65_535, 0);
  readonly sender = new Sender({
    output: this.output,
    windows: this.windows,
    requestFlush: () => {},
    noteSent: () => {},
    localEnd: (stream) => this.ended.push(stream.id),
  });

  stream(id: number, windowBytes = 0x7fff_ffff): Stream {
    return new Stream(id, windowBytes, 0);
  }

  /** Everything that was sent since the last call. */
  sent(): Sent[] {
    while (this.sender.pump()) this.output.flush();
    this.output.flush();
    const bytes = Buffer.concat(this.socket.written.splice(0));
    const frames: Sent[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUIntBE(at, 3);
      frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        streamId: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + 9, at + 9 + length),
      });
      at += 9 + length;
    }
    return frames;
  }
}

const dataOf = (frames: readonly Sent[], id: number): Buffer =>
  Buffer.concat(frames.filter((one) => one.type === data && one.streamId === id).map((one) => one.payload));

test("an answer that fits leaves as head, data and trailers", () => {
  const { sender, ended, sent } = bound(new Fixture());
  sender.answer(new Stream(1, 100, 0), head, Buffer.from("pre"), Buffer.from("fix"), 6, trailers);
  expect(sent().map(({ type, flags, payload }) => [type, flags, payload.toString("latin1")])).toEqual([
    [headers, 4, head.toString("latin1")],
    [data, 0, "prefix"],
    [headers, 5, trailers.toString("latin1")],
  ]);
  expect(ended).toEqual([1]);
});

test.each([4, limits.outputReferenceBytesMin - 1])(
  "a message of %s bytes that has to wait is as it was written, whatever is made in its memory next",
  (size) => {
    const { sender, sent } = bound(new Fixture());
    const stream = new Stream(1, 4, 0);
    const memory = Buffer.alloc(size);
    const prefix = Buffer.alloc(1);
    for (const text of ["1", "2", "3"]) {
      memory.fill(text);
      prefix.fill(text);
      sender.data(stream, prefix, memory, 1 + size);
    }
    stream.sendBytes = 3 * (1 + size);
    sender.windowGrew(stream);
    expect(dataOf(sent(), 1).toString()).toBe(["1", "2", "3"].map((text) => text.repeat(1 + size)).join(""));
  },
);

test("a small answer does not wait for a large one that came before it", () => {
  const { sender, windows, sent } = bound(new Fixture());
  windows.sendBytes = 0x7fff_ffff;
  const large = Buffer.alloc(1024 * 1024, "l");
  sender.answer(new Stream(1, 0x7fff_ffff, 0), head, nothing, large, large.length, trailers);
  sender.answer(new Stream(3, 0x7fff_ffff, 0), head, nothing, Buffer.from("small"), 5, trailers);
  const frames = sent();
  const smallEnd = frames.findIndex(({ streamId, flags }) => streamId === 3 && flags === 5);
  expect(smallEnd).toBeLessThan(8);
  expect(dataOf(frames, 1).equals(large)).toBe(true);
});

test("lent memory is free when the socket has sent all of it", () => {
  const { sender, windows, socket, sent } = bound(new Fixture());
  windows.sendBytes = 0x7fff_ffff;
  const piece = takeAnswerPiece().fill(7);
  const part = piece.subarray(0, 40_000);
  lendAnswerPiece(piece, part);
  const stream = new Stream(1, 30_000, 0);
  sender.answer(stream, head, nothing, [part], part.length, trailers);
  expect(dataOf(sent(), 1)).toHaveLength(30_000);
  expect(socket.unsent).toHaveLength(0);
  stream.sendBytes += 10_000;
  sender.windowGrew(stream);
  expect(dataOf(sent(), 1)).toHaveLength(10_000);
  expect(takeAnswerPiece()).not.toBe(piece);
  for (const tell of socket.unsent) tell();
  expect(takeAnswerPiece()).toBe(piece);
});

test("many messages of one turn leave while the rest is made; after the end of the connection they go nowhere", () => {
  const fixture = new Fixture();
  const { sender, windows, socket, sent } = bound(fixture);
  windows.sendBytes = 0x7fff_ffff;
  const to = fixture.stream(1);
  const message = (fill: number): boolean => sender.data(to, nothing, Buffer.alloc(3_000, fill), 3_000);
  for (let count = 0; count < 100; count++) expect(message(count)).toBe(true);
  const early = socket.written.reduce((sum, piece) => sum + piece.length, 0);
  expect(early).toBeGreaterThan(200_000);
  const bytes = dataOf(sent(), 1);
  expect(bytes.equals(Buffer.concat(Array.from({ length: 100 }, (_, at) => Buffer.alloc(3_000, at))))).toBe(
    true,
  );
  fixture.output.discard();
  for (let count = 0; count < 100; count++) message(count);
  expect(socket.written).toEqual([]);
});

test("messages of one stream that leave together share frames, and only they", () => {
  const fixture = new Fixture();
  const [one, other] = [fixture.stream(1), fixture.stream(3)];
  const message = (stream: Stream, bytes: number, fill: number): void =>
    void fixture.sender.data(stream, nothing, Buffer.alloc(bytes, fill), bytes);
  message(one, 10, 1);
  message(one, 20, 2);
  message(other, 5, 3);
  message(one, 10_000, 4);
  message(one, 6_384, 5);
  message(one, 1, 6);
  fixture.output.flush();
  message(one, 7, 7);
  fixture.output.flush();
  const frames = fixture.sent();
  expect(frames.map(({ streamId, payload }) => [streamId, payload.length])).toEqual([
    [1, 30],
    [3, 5],
    [1, 16_384],
    [1, 1],
    [1, 7],
  ]);
  expect([...frames[0]!.payload]).toEqual([...Array(10).fill(1), ...Array(20).fill(2)]);
  expect(frames[2]!.payload.indexOf(5)).toBe(10_000);
});

test("a header block over one frame goes on in CONTINUATION, and nothing comes between", () => {
  const { sender, sent } = bound(new Fixture());
  const block = encodeHeaders([["a", "x".repeat(40_000)]]);
  sender.head(new Stream(1, 100, 0), block);
  sender.head(new Stream(3, 100, 0), head);
  const frames = sent();
  expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
    [headers, 0],
    [continuation, 0],
    [continuation, 4],
    [headers, 4],
  ]);
  expect(Buffer.concat(frames.slice(0, 3).map(({ payload }) => payload))).toEqual(block);
});

test("a full socket gets nothing; the writer is told to wait, and to go on when half has left", () => {
  const { sender, windows, socket, sent } = bound(new Fixture());
  windows.sendBytes = 0x7fff_ffff;
  socket.full = true;
  let drains = 0;
  const stream = new Stream(1, 0x7fff_ffff, 0);
  stream.handler = { drain: () => drains++ } as unknown as StreamHandler;
  expect(sender.data(stream, nothing, Buffer.alloc(200 * 1024), 200 * 1024)).toBe(true);
  expect(sender.data(stream, nothing, Buffer.alloc(200 * 1024), 200 * 1024)).toBe(false);
  expect(sent()).toEqual([]);
  expect(sender.waitingBytes).toBe(400 * 1024);
  socket.full = false;
  expect(dataOf(sent(), 1).length).toBe(400 * 1024);
  expect([drains, sender.waitingBytes]).toEqual([1, 0]);
});

test("a writer that was told to wait, and writes a little more, is told when there is room all the same", () => {
  const { sender, windows, sent } = bound(new Fixture());
  windows.sendBytes = 100 * 1024;
  let drains = 0;
  const stream = new Stream(1, 0x7fff_ffff, 0);
  stream.handler = { drain: () => drains++ } as unknown as StreamHandler;
  expect(sender.data(stream, nothing, Buffer.alloc(300 * 1024), 300 * 1024)).toBe(false);
  expect(dataOf(sent(), 1).length).toBe(100 * 1024);
  // Less than the limit waits now, but more than half of it: there is no room yet.
  expect(sender.data(stream, nothing, Buffer.alloc(30), 30)).toBe(false);
  expect(drains).toBe(0);
  windows.sendBytes = 0x7fff_ffff;
  expect(dataOf(sent(), 1).length).toBe(200 * 1024 + 30);
  expect([drains, sender.waitingBytes]).toEqual([1, 0]);
});

test("what waited on a stream that is over is forgotten", () => {
  const { sender, windows, sent } = bound(new Fixture());
  windows.sendBytes = 10;
  const gone = new Stream(1, 0x7fff_ffff, 0);
  sender.data(gone, nothing, Buffer.alloc(1_000), 1_000);
  sender.forget(gone);
  expect(sender.waitingBytes).toBe(0);
  sender.data(new Stream(3, 0x7fff_ffff, 0), nothing, Buffer.from("on"), 2);
  expect(sent().map(({ streamId }) => streamId)).toEqual([3]);
});

describe("whatever is written and however the windows grow", () => {
  test("each stream's bytes leave in order, once, within both windows, and end once", () => {
    const write = fc.record({
      kind: fc.constant("write" as const),
      stream: fc.nat({ max: 3 }),
      bytes: fc.integer({ min: 1, max: 40_000 }),
    });
    const grow = fc.record({
      kind: fc.constant("grow" as const),
      stream: fc.integer({ min: -1, max: 3 }),
      bytes: fc.integer({ min: 1, max: 30_000 }),
    });
    const end = fc.record({
      kind: fc.constant("end" as const),
      stream: fc.nat({ max: 3 }),
      withData: fc.boolean(),
    });
    const socket = fc.record({ kind: fc.constant("socket" as const), full: fc.boolean() });
    const pump = fc.record({ kind: fc.constant("pump" as const) });
    fc.assert(
      fc.property(fc.array(fc.oneof(write, write, grow, end, socket, pump), { maxLength: 60 }), (steps) => {
        const fixture = new Fixture();
        const streams = [1, 3, 5, 7].map((id) => fixture.stream(id, 20_000));
        const windows = streams.map(() => 20_000);
        let connectionWindow = 65_535;
        const expected = streams.map(() => [] as Buffer[]);
        const ends = new Set<Stream>();
        const frames: Sent[] = [];
        let next = 0;
        const look = (): void => {
          for (const frame of fixture.sent()) {
            frames.push(frame);
            if (frame.type !== data) continue;
            windows[(frame.streamId - 1) / 2]! -= frame.payload.length;
            connectionWindow -= frame.payload.length;
            expect(Math.min(connectionWindow, ...windows)).toBeGreaterThanOrEqual(0);
          }
        };
        const growWindow = (index: number, bytes: number): void => {
          if (index < 0) {
            connectionWindow += bytes;
            fixture.windows.growSend(bytes);
            return;
          }
          windows[index]! += bytes;
          streams[index]!.growSend(bytes);
          fixture.sender.windowGrew(streams[index]!);
        };
        for (const step of steps) {
          if (step.kind === "socket") fixture.socket.full = step.full;
          else if (step.kind === "pump") look();
          else if (step.kind === "grow") growWindow(step.stream, step.bytes);
          else if (!ends.has(streams[step.stream]!)) {
            const stream = streams[step.stream]!;
            if (step.kind === "write") {
              const bytes = Buffer.alloc(step.bytes, next++ % 256);
              expected[step.stream]!.push(bytes);
              fixture.sender.data(stream, nothing, bytes, bytes.length);
            } else {
              ends.add(stream);
              fixture.sender.end(stream, step.withData ? "data" : trailers);
            }
          }
        }
        fixture.socket.full = false;
        growWindow(-1, 10_000_000);
        for (const index of streams.keys()) growWindow(index, 10_000_000);
        look();
        for (const [index, stream] of streams.entries()) {
          expect(dataOf(frames, stream.id).equals(Buffer.concat(expected[index]!))).toBe(true);
          const ending = frames.filter((one) => one.streamId === stream.id && (one.flags & 1) !== 0);
          expect(ending.length).toBe(ends.has(stream) ? 1 : 0);
          if (ends.has(stream))
            expect(frames.filter((one) => one.streamId === stream.id).at(-1)).toBe(ending[0]);
        }
        expect(fixture.sender.waitingBytes).toBe(0);
        expect(fixture.ended.sort()).toEqual([...ends].map(({ id }) => id).sort());
      }),
      { numRuns: 200 },
    );
  });
});

/** A fixture whose parts can be taken apart. */
function bound(fixture: Fixture) {
  return {
    sender: fixture.sender,
    windows: fixture.windows,
    socket: fixture.socket,
    ended: fixture.ended,
    sent: (): Sent[] => fixture.sent(),
  };
}
