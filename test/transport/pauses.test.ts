/**
 * The process stands still for longer than a peer may be silent, while what the peer said lies in the kernel. If
 * these fail, a busy machine drops good connections.
 */
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connectGrpc } from "../../src/transport/http2/client.js";
import { frame, grpcHead, preface, RawPeer, startServer, type TestServer } from "./support.js";

const timeoutMs = 100;

vi.mock("../../src/base/limits.js", async (original) => {
  const { limits } = (await original()) as typeof import("../../src/base/limits.js");
  return { limits: { ...limits, handshakeTimeoutMs: 100 } };
});

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    keepaliveIntervalMs: timeoutMs,
    keepaliveTimeoutMs: timeoutMs,
  });
});
afterAll(() => server.close());

/** Nothing of this process runs meanwhile, neither the server nor the peer. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * timeoutMs);
}

/** Lets the event loop go around so many times. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * What `prepare` gives, once it took so little time that nobody could be late: on a busy machine a few turns of the
 * event loop may take longer than the timeout.
 */
async function promptly(prepare: () => Promise<RawPeer>): Promise<RawPeer> {
  for (;;) {
    const startedMs = performance.now();
    const peer = await prepare();
    if (performance.now() - startedMs < timeoutMs / 2) return peer;
    peer.destroy();
  }
}

async function accepted(): Promise<RawPeer> {
  const before = server.server.connectionCount;
  const peer = await RawPeer.connect(server.port);
  for (let turn = 0; turn < 100 && server.server.connectionCount === before; turn++) await turns(1);
  return peer;
}

test("the preface came in time", async () => {
  const peer = await promptly(accepted);
  peer.send(preface, frame(0x4, 0, 0));
  standStill();
  await peer.settle();
  peer.destroy();
});

test("the first SETTINGS came in time", async () => {
  const peer = await promptly(async () => {
    const made = await accepted();
    made.send(preface);
    // Its own SETTINGS, or it was closed meanwhile because this took too long.
    await made.frame(({ type }) => type === 0x4).catch(() => undefined);
    return made;
  });
  peer.send(frame(0x4, 0, 0));
  standStill();
  await peer.settle();
  peer.destroy();
});

test("the rest of a header block came in time", async () => {
  const peer = await promptly(async () => {
    const made = await RawPeer.open(server.port);
    await made.settle().catch(() => undefined);
    made.send(frame(0x1, 0, 1, grpcHead("/test.Test/Fail")));
    // In these the beginning is read, which nothing tells.
    await turns(3);
    return made;
  });
  peer.send(frame(0x9, 0x4, 1), frame(0x0, 1, 1, Buffer.alloc(5)));
  standStill();
  await peer.frame(({ type, streamId }) => type === 0x1 && streamId === 1);
  peer.destroy();
});

test("the answer to a keep-alive ping came in time", async () => {
  const peer = await RawPeer.open(server.port);
  const ping = await peer.frame(({ type, flags }) => type === 0x6 && flags === 0);
  peer.send(frame(0x6, 1, 0, ping.payload));
  standStill();
  await peer.settle();
  peer.destroy();
});

test("the answer to a client's keep-alive ping came in time", async () => {
  const pingHeader = frame(0x6, 0, 0, Buffer.alloc(8)).subarray(0, 9);
  let tellAnswered = (): void => {};
  const answered = new Promise<void>((resolve) => {
    tellAnswered = resolve;
  });
  const answering = createServer((socket) => {
    socket.write(frame(0x4, 0, 0));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const at = chunk.indexOf(pingHeader);
      if (at < 0) return;
      socket.write(frame(0x6, 1, 0, chunk.subarray(at + 9, at + 17)));
      standStill();
      tellAnswered();
    });
  });
  await new Promise<void>((resolve) => answering.listen(0, "127.0.0.1", resolve));
  const channel = await connectGrpc({
    host: "127.0.0.1",
    port: (answering.address() as AddressInfo).port,
    tls: undefined,
    receiveBytesMax: 1024,
    connectTimeoutMs: 10_000,
    keepaliveIntervalMs: timeoutMs,
    keepaliveTimeoutMs: timeoutMs,
  });
  await answered;
  await turns(3);
  expect(channel.closed).toBe(false);
  channel.close();
  await new Promise((resolve) => answering.close(resolve));
});
