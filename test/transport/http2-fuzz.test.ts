/**
 * Bytes of real traffic, changed at random: whatever comes, the process lives, other connections notice nothing,
 * and the damaged connection is answered or closed.
 */
import { connect, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, GrpcJsClient } from "./grpc-js-client.js";
import { startServer, type TestServer } from "./support.js";

let server: TestServer;
let neighbour: GrpcJsClient;
let traffic: Buffer;

/** What a real client sends for calls of several kinds, taken by a relay in front of the server. */
async function record(port: number): Promise<Buffer> {
  const sent: Buffer[] = [];
  const sockets: Socket[] = [];
  const relay = createServer((inner) => {
    const outer = connect({ host: "127.0.0.1", port });
    sockets.push(inner, outer);
    inner.on("data", (chunk) => sent.push(chunk));
    inner.on("error", () => {});
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const client = new GrpcJsClient((relay.address() as { port: number }).port);
  await client.unary("Echo", Buffer.from("small"));
  await client.unary("EchoLater", Buffer.alloc(20_000, "large"));
  await client.unary("Fail", Buffer.alloc(0)).catch(() => {});
  const stream = client.bidi("EchoStream");
  for (let i = 0; i < 5; i++) stream.write(Buffer.alloc(i * 100));
  stream.end();
  await collect(stream);
  client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => relay.close(resolve));
  return Buffer.concat(sent);
}

beforeAll(async () => {
  server = await startServer();
  neighbour = new GrpcJsClient(server.port);
  traffic = await record(server.port);
});
afterAll(async () => {
  neighbour.close();
  await server.close();
});

interface Change {
  readonly at: number;
  readonly kind: "set" | "remove" | "insert" | "repeat";
  readonly byte: number;
  readonly length: number;
}

function changed(original: Buffer, changes: readonly Change[]): Buffer {
  let bytes = Buffer.from(original);
  for (const { at: place, kind, byte, length } of changes) {
    // The preface stays, or nothing behind it is ever looked at.
    const at = 24 + (place % (bytes.length - 24));
    if (kind === "set") bytes[at] = byte;
    else if (kind === "remove") bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    else {
      const extra = kind === "insert" ? Buffer.alloc(length, byte) : bytes.subarray(at, at + length);
      bytes = Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
    }
  }
  return bytes;
}

const anyChange: fc.Arbitrary<Change> = fc.record({
  // The beginning holds most of the frame headers.
  at: fc.oneof(fc.nat(400), fc.nat(40_000)),
  kind: fc.constantFrom("set", "set", "set", "remove", "insert", "repeat"),
  byte: fc.nat(255),
  length: fc.integer({ min: 1, max: 40 }),
});

/** Sends the bytes and ends; resolves when the server has closed the connection as well. */
function play(bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: server.port }, () => socket.end(bytes));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
  });
}

test("changed traffic harms nobody else", { timeout: 60_000 }, async () => {
  expect(traffic.length).toBeGreaterThan(20_000);
  await fc.assert(
    fc.asyncProperty(fc.array(anyChange, { minLength: 1, maxLength: 6 }), async (changes) => {
      await play(changed(traffic, changes));
    }),
    { numRuns: 1500 },
  );
  expect(await neighbour.unary("Echo", Buffer.from("unharmed"))).toEqual(Buffer.from("unharmed"));
  expect(server.server.connectionCount).toBe(1);
});

test("random frames after a good beginning harm nobody else", { timeout: 60_000 }, async () => {
  const anyFrame = fc
    .record({
      type: fc.nat(10),
      flags: fc.nat(255),
      streamId: fc.nat(9),
      payload: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ type, flags, streamId, payload }) =>
      Buffer.concat([Buffer.of(0, 0, payload.length, type, flags, 0, 0, 0, streamId), payload]),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { minLength: 1, maxLength: 12 }), async (frames) => {
      const begin = Buffer.concat([traffic.subarray(0, 24), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)]);
      await play(Buffer.concat([begin, ...frames]));
    }),
    { numRuns: 1000 },
  );
  expect(await neighbour.unary("Echo", Buffer.from("unharmed"))).toEqual(Buffer.from("unharmed"));
});
