/** Connections whose reads go through one shared buffer: none sees another's bytes, and none are lost on the way. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { frame, grpcRequest, preface, RawPeer, startServer, type TestServer, unary } from "./support.js";

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ methods: [unary("Echo", (bytes) => bytes)] });
});

afterAll(() => server.close());

async function echoOn(peer: RawPeer, stream: number): Promise<string> {
  await peer.frame(({ type, flags, streamId }) => type === 0x1 && streamId === stream && (flags & 1) === 1);
  const data = peer.frames.filter(({ type, streamId }) => type === 0x0 && streamId === stream);
  const messageHeaderBytes = 5;
  return Buffer.concat(data.map(({ payload }) => payload))
    .subarray(messageHeaderBytes)
    .toString();
}

test("requests that come in halves, by turns on two connections, are answered with their own bytes", async () => {
  const peers = await Promise.all([RawPeer.open(server.port), RawPeer.open(server.port)]);
  const texts = ["a".repeat(3_000), "b".repeat(3_000)];
  const requests = texts.map((text) => grpcRequest(3, "/test.Test/Echo", Buffer.from(text)));
  const middle = 1_500;
  for (const [at, peer] of peers.entries()) {
    peer.send(grpcRequest(1, "/test.Test/Echo", Buffer.from("x")), requests[at]!.subarray(0, middle));
    // Its answer tells that the half behind it was read.
    expect(await echoOn(peer, 1)).toBe("x");
  }
  for (const [at, peer] of peers.entries()) peer.send(requests[at]!.subarray(middle));
  for (const [at, peer] of peers.entries()) {
    expect(await echoOn(peer, 3)).toBe(texts[at]);
    peer.destroy();
  }
});

test("a request in one piece with the preface, and the end of the connection behind it, are both seen", async () => {
  const peer = await RawPeer.connect(server.port);
  peer.socket.end(
    Buffer.concat([preface, frame(0x4, 0, 0), grpcRequest(1, "/test.Test/Echo", Buffer.from("all"))]),
  );
  expect(await echoOn(peer, 1)).toBe("all");
  await peer.whenClosed();
});
