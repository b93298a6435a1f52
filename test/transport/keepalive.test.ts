/** When we ping, when we give up, and which pings of the peer are too many (gRPC proposals A8 and A9). */
import { describe, expect, test } from "vitest";
import { Keepalive } from "../../src/transport/http2/keepalive.js";

const hourMs = 3_600_000;

function server(peerPingMinMs: number | undefined = 5_000): Keepalive {
  return new Keepalive({ intervalMs: 1_000, timeoutMs: 200, peerPingMinMs }, 0);
}

describe("our own pings", () => {
  test("one after the interval of silence, the end after the timeout behind it", () => {
    const keepalive = server();
    expect([999, 1_000, 1_100, 1_199, 1_200].map((ms) => keepalive.sweep(ms))).toEqual([
      "none",
      "ping",
      "none",
      "none",
      "close",
    ]);
  });

  test("anything that is heard starts the interval again, an answer that comes late as well", () => {
    const keepalive = server();
    keepalive.noteHeard();
    expect(keepalive.sweep(900)).toBe("none");
    expect(keepalive.sweep(1_899)).toBe("none");
    expect(keepalive.sweep(1_900)).toBe("ping");
    keepalive.noteHeard();
    expect(keepalive.sweep(2_100)).toBe("none");
    expect(keepalive.sweep(3_099)).toBe("none");
    expect(keepalive.sweep(3_100)).toBe("ping");
  });
});

describe("the peer's pings", () => {
  const ping = (keepalive: Keepalive, streams: number, ...timesMs: readonly number[]): void => {
    for (const timeMs of timesMs) keepalive.peerPing(streams, timeMs);
  };

  test("the third that comes too early is one too many", () => {
    const keepalive = server();
    ping(keepalive, 1, 0, 4_999, 9_998);
    expect(() => ping(keepalive, 1, 14_997)).toThrow("too_many_pings");
  });

  test("those that keep the interval are welcome for ever", () => {
    const keepalive = server();
    for (let count = 0; count < 100; count++) ping(keepalive, 1, count * 5_000);
  });

  test("what we sent in between forgives all", () => {
    const keepalive = server();
    for (let count = 0; count < 100; count++) {
      ping(keepalive, 1, count * 10, count * 10 + 1, count * 10 + 2);
      keepalive.noteSent();
    }
  });

  test("without streams two hours must lie between them", () => {
    const patient = server();
    ping(patient, 0, 0, 2 * hourMs, 4 * hourMs, 6 * hourMs, 8 * hourMs);
    const hasty = server();
    ping(hasty, 0, 0, hourMs, 2 * hourMs);
    expect(() => ping(hasty, 0, 3 * hourMs)).toThrow("too_many_pings");
  });

  test("a client minds none", () => {
    const client = new Keepalive({ intervalMs: 1_000, timeoutMs: 200, peerPingMinMs: undefined }, 0);
    for (let count = 0; count < 100; count++) ping(client, 0, count);
  });
});
