/** When answers to pings leave: with the next answer to a request where one comes soon, else by themselves. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { frame, grpcRequest, RawPeer, startServer, type TestServer, unary } from "./support.js";

let server: TestServer;
let finish: (() => void) | undefined;

beforeAll(async () => {
  server = await startServer({
    methods: [
      unary("Echo", (bytes) => bytes),
      unary("Soon", (bytes) => delay(8, bytes)),
      unary("Late", (bytes) => new Promise((resolve) => (finish = () => resolve(bytes)))),
    ],
  });
});

afterAll(() => server.close());

const isAnswer = ({ type, flags }: { type: number; flags: number }): boolean => type === 0x6 && flags === 1;
const ping = frame(0x6, 0, 0, Buffer.from("12345678"));

test("an answer to a ping leaves in one piece with the answer to the request behind it", async () => {
  const peer = await RawPeer.open(server.port);
  await peer.settle();
  const chunks: Buffer[] = [];
  peer.socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  peer.send(ping, grpcRequest(1, "/test.Test/Echo", Buffer.from("a")));
  await peer.frame(({ type, flags, streamId }) => type === 0x1 && streamId === 1 && (flags & 1) === 1);
  expect(peer.frames.filter(isAnswer)).toHaveLength(2);
  expect(chunks).toHaveLength(1);
  peer.destroy();
});

test("it waits for the answer to a request that is in hand", async () => {
  const peer = await RawPeer.open(server.port);
  await peer.settle();
  const chunks: Buffer[] = [];
  peer.socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  peer.send(grpcRequest(1, "/test.Test/Soon", Buffer.from("a")), ping);
  await peer.frame(({ type, flags, streamId }) => type === 0x1 && streamId === 1 && (flags & 1) === 1);
  expect(peer.frames.filter(isAnswer)).toHaveLength(2);
  expect(chunks).toHaveLength(1);
  peer.destroy();
});

test("it does not wait for a request that takes long", async () => {
  const peer = await RawPeer.open(server.port);
  await peer.settle();
  peer.send(grpcRequest(1, "/test.Test/Late", Buffer.from("a")), ping);
  await peer.frame(({ payload, ...head }) => isAnswer(head) && payload.toString() === "12345678");
  expect(peer.frames.some(({ streamId }) => streamId === 1)).toBe(false);
  finish?.();
  await peer.frame(({ type, streamId }) => type === 0x1 && streamId === 1);
  peer.destroy();
});

test("every ping gets its own answer, in their order", async () => {
  const peer = await RawPeer.open(server.port);
  const payloads = Array.from({ length: 3 }, (_, at) => String(at).padStart(8, "0"));
  peer.send(...payloads.map((payload) => frame(0x6, 0, 0, Buffer.from(payload))));
  await peer.frame(({ payload, ...head }) => isAnswer(head) && payload.toString() === payloads.at(-1));
  expect(peer.frames.filter(isAnswer).map(({ payload }) => payload.toString())).toEqual(payloads);
  peer.destroy();
});
