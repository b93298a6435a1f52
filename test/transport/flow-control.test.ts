/** Windows and what is given back when. If these fail, a stream stalls for ever, or memory has no bound. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { FlowWindows } from "../../src/transport/http2/flow-control.js";
import { ConnectionError, ErrorCode, StreamError } from "../../src/transport/http2/protocol.js";
import { ReceiveBudget } from "../../src/transport/http2/receive-budget.js";
import { Stream } from "../../src/transport/http2/stream.js";

test("a window to send grows up to 2^31-1 and no further", () => {
  expect(new FlowWindows(1, 0).growSend(0x7fff_fffe)).toBe(true);
  expect(new FlowWindows(2, 0).growSend(0x7fff_fffe)).toBe(false);
  // A window that the peer shrank may be below nothing (section 6.9.2).
  expect(new FlowWindows(-10, 0).growSend(0x7fff_ffff)).toBe(true);
});

describe("a window to receive", () => {
  test("the example in the source", () => {
    const window = new FlowWindows(0, 100);
    expect(window.noteReceived(60)).toBe(true);
    expect(window.noteConsumed(30)).toBe(0);
    expect(window.noteConsumed(30)).toBe(60);
    expect(window.noteReceived(100)).toBe(true);
    expect(window.noteReceived(1)).toBe(false);
  });

  test("a peer that keeps to what it was told never breaks it and never waits for what was consumed", () => {
    const step = fc.record({ sends: fc.boolean(), bytes: fc.integer({ min: 0, max: 120 }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const window = new FlowWindows(0, 100);
        let credit = 100;
        let unread = 0;
        for (const { sends, bytes } of steps) {
          if (sends) {
            const sent = Math.min(bytes, credit);
            credit -= sent;
            unread += sent;
            expect(window.noteReceived(sent)).toBe(true);
          } else {
            const read = Math.min(bytes, unread);
            unread -= read;
            credit += window.noteConsumed(read);
          }
          if (unread === 0) expect(credit).toBeGreaterThan(50);
        }
      }),
    );
  });
});

describe("the budget of a connection", () => {
  function budget() {
    const updates: [number, number][] = [];
    const windows = new FlowWindows(65_535, limits.connectionWindowBytes);
    const receiving = new ReceiveBudget(windows, (streamId, increment) =>
      updates.push([streamId, increment]),
    );
    const stream = (id: number): Stream => new Stream(id, 65_535, limits.streamWindowBytes);
    return { updates, receiving, stream };
  }
  const half = limits.streamWindowBytes / 2;

  test("the connection's window comes back as data arrives, a stream's as it is consumed", () => {
    const { updates, receiving, stream } = budget();
    const one = stream(1);
    receiving.receive(one, limits.connectionWindowBytes / 2);
    expect(updates).toEqual([[0, limits.connectionWindowBytes / 2]]);
    receiving.consume(one, half);
    expect(updates.slice(1)).toEqual([[1, half]]);
  });

  test("what was granted early for a large message is not granted again when it is consumed", () => {
    const { updates, receiving, stream } = budget();
    const one = stream(1);
    receiving.receive(one, half);
    receiving.grantEarly(one, half);
    receiving.receive(one, half);
    receiving.consume(one, 2 * half);
    expect(updates.filter(([streamId]) => streamId === 1)).toEqual([
      [1, half],
      [1, half],
    ]);
  });

  test("a stream whose peer has ended is given nothing back", () => {
    const { updates, receiving, stream } = budget();
    const one = stream(1);
    receiving.receive(one, half);
    one.remoteClosed = true;
    receiving.consume(one, half);
    expect(updates).toEqual([]);
  });

  test("more than the connection's window breaks the connection", () => {
    const { receiving, stream } = budget();
    const send = (): void => receiving.receive(stream(1), limits.connectionWindowBytes + 1);
    expect(send).toThrow(ConnectionError);
  });

  test("what all streams hold is bounded; a stream that is over holds nothing", () => {
    const { receiving, stream } = budget();
    const bytes = limits.connectionWindowBytes / 2;
    const holders = Array.from({ length: limits.connectionReceiveBytesMax / bytes }, (_, at) =>
      stream(2 * at + 1),
    );
    for (const holder of holders) receiving.receive(holder, bytes);
    const late = stream(9_999);
    let thrown: unknown;
    try {
      receiving.receive(late, 1);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(StreamError);
    expect(thrown).toMatchObject({ streamId: 9_999, code: ErrorCode.EnhanceYourCalm });
    receiving.release(late);
    receiving.release(holders[0]!);
    receiving.receive(stream(10_001), bytes);
  });
});
