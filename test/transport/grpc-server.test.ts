/** The server as the real @grpc/grpc-js client sees it: if these fail, etcd clients in the field fail. */
import { randomBytes } from "node:crypto";
import { compressionAlgorithms, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AssertionError } from "../../src/base/assert.js";
import { ProtoError } from "../../src/base/protowire.js";
import {
  type CallContext,
  type RpcMethod,
  RpcStatus,
  StatusCode,
  takeRequests,
} from "../../src/transport/rpc.js";
import { collect, GrpcJsClient } from "./grpc-js-client.js";
import { bidi, commonMethods, serverStream, startServer, type TestServer, unary } from "./support.js";

let lastCall: CallContext | undefined;
let cancelled: Promise<void> | undefined;

function watchCancel(call: CallContext): void {
  lastCall = call;
  cancelled = new Promise((resolve) => call.onCancel(resolve));
}

function exceptThirteen(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  if (end - start === 13) throw new Error("thirteen");
  return bytes.slice(start, end);
}

const sumMethod = bidi("Sum", async (requests, _call, sink) => {
  let bytes = 0;
  for await (const request of requests) bytes += request.length;
  sink.write(Buffer.from(String(bytes)));
});

/** Takes each request in the call that brought it: wants no more for a moment after each third, and none like "bad". */
const takeMethod = bidi("Take", (requests, _call, sink) => {
  let taken = 0;
  return takeRequests(requests, {
    take: (request) => {
      if (Buffer.from(request).toString() === "bad") throw new RpcStatus(StatusCode.OutOfRange, "a bad one");
      sink.write(request);
      return ++taken % 3 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
    },
  });
});

const methods: readonly RpcMethod[] = [
  ...commonMethods,
  unary("Hang", (_request, call) => {
    watchCancel(call);
    return new Promise(() => {});
  }),
  unary("Metadata", (_request, call) =>
    Buffer.from(
      JSON.stringify([call.metadata("x-key"), call.metadata("absent") ?? null, call.timeoutMs ?? null]),
    ),
  ),
  unary("Bug", () => Promise.reject(new Error("internal detail"))),
  unary("Large", (request) => Buffer.alloc(Number(Buffer.from(request).toString()), "v")),
  {
    ...unary("Parts", () => Buffer.alloc(0)),
    encode: () => [Buffer.from("a"), Buffer.alloc(5000, "b"), Buffer.from("c")],
  },
  {
    ...unary("Undecodable", () => Buffer.alloc(0)),
    decode: () => {
      throw new ProtoError("illegal tag 0");
    },
  },
  serverStream("Count", async (request, _call, sink) => {
    const count = Number(Buffer.from(request).toString());
    for (let i = 0; i < count; i++) if (!sink.write(Buffer.from(String(i)))) await sink.drained();
  }),
  serverStream("FailLate", async (_request, _call, sink) => {
    sink.write(Buffer.from("one"));
    throw new RpcStatus(StatusCode.Aborted, "later");
  }),
  takeMethod,
  sumMethod,
  {
    ...sumMethod,
    path: "/test.Test/SumInPlace",
    decode: exceptThirteen,
    decodeInPlace: exceptThirteen,
  },
  bidi("Watch", async (requests, call, sink) => {
    watchCancel(call);
    sink.write(Buffer.from("created"));
    for await (const _request of requests);
  }),
  bidi("EndEarly", async () => {}),
];

describe.each([
  ["plain", {}],
  ["gzip", { "grpc.default_compression_algorithm": compressionAlgorithms.gzip }],
])("%s", (_name, channelOptions) => {
  let server: TestServer;
  let client: GrpcJsClient;

  beforeAll(async () => {
    server = await startServer({ methods });
    client = new GrpcJsClient(server.port, channelOptions);
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  test("a unary call is answered, at once or later", async () => {
    expect(await client.unary("Echo", Buffer.from("hello"))).toEqual(Buffer.from("hello"));
    expect(await client.unary("EchoLater", Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  test("many calls at once each get their own answer", async () => {
    const bodies = Array.from({ length: 500 }, (_, i) => Buffer.from(`request ${i}`.repeat(1 + (i % 50))));
    const answers = await Promise.all(
      bodies.map((body, i) => client.unary(i % 2 === 0 ? "Echo" : "EchoLater", body)),
    );
    expect(answers).toEqual(bodies);
  });

  test("a request of the largest size, and an answer of 20 MiB, pass unchanged", async () => {
    // Compressible, so that it is not larger than the limit once it is compressed.
    const body = Buffer.concat(new Array<Buffer>(128).fill(randomBytes(16 * 1024)));
    expect((await client.unary("Echo", body)).equals(body)).toBe(true);
    const large = await client.unary("Large", Buffer.from(String(20 * 1024 * 1024)));
    expect(large.equals(Buffer.alloc(20 * 1024 * 1024, "v"))).toBe(true);
  });

  test("an answer of several parts arrives as one message", async () => {
    expect((await client.unary("Parts", Buffer.alloc(0))).toString()).toBe(`a${"b".repeat(5000)}c`);
  });

  test("a status arrives with its code, text and details", async () => {
    const error = await client.unary("Fail", Buffer.alloc(0)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: status.OUT_OF_RANGE, details: "100 % of ½ is gone\n" });
    const { metadata } = error as { metadata: Metadata };
    expect(metadata.get("grpc-status-details-bin")).toEqual([Buffer.from("details")]);
  });

  test("an unforeseen failure goes through the error mapper", async () => {
    await expect(client.unary("Bug", Buffer.alloc(0))).rejects.toMatchObject({
      code: status.INTERNAL,
      details: "internal detail",
    });
  });

  test("metadata and the time left reach the handler", async () => {
    const metadata = new Metadata();
    metadata.set("x-key", "a value");
    const answer = await client.unary("Metadata", Buffer.alloc(0), { deadline: Date.now() + 5000 }, metadata);
    const [value, absent, timeoutMs] = JSON.parse(answer.toString()) as [string, null, number];
    expect([value, absent]).toEqual(["a value", null]);
    expect(timeoutMs).toBeGreaterThan(4000);
    expect(timeoutMs).toBeLessThanOrEqual(5000);
  });

  test("unknown services and methods are named as grpc-go names them", async () => {
    const unknown = client.unary("/no.Service/Do", Buffer.alloc(0));
    await expect(unknown).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: "unknown service no.Service",
    });
    await expect(client.unary("Nothing", Buffer.alloc(0))).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: "unknown method Nothing for service test.Test",
    });
  });

  test("a request that does not decode is INTERNAL, and the connection lives on", async () => {
    await expect(client.unary("Undecodable", Buffer.from("x"))).rejects.toMatchObject({
      code: status.INTERNAL,
      details: "grpc: error unmarshalling request: illegal tag 0",
    });
    expect(await client.unary("Echo", Buffer.from("still here"))).toEqual(Buffer.from("still here"));
  });

  test("a message over the limit is RESOURCE_EXHAUSTED in grpc-go's words, and the connection lives on", async () => {
    const tooLarge = client.unary("Echo", randomBytes(3 * 1024 * 1024));
    const error = (await tooLarge.catch((caught: unknown) => caught)) as { code: number; details: string };
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.details).toMatch(/^grpc: received message larger than max \(\d+ vs. 2097152\)$/);
    expect(await client.unary("Echo", Buffer.from("still here"))).toEqual(Buffer.from("still here"));
  });

  test("a deadline that passes cancels the handler", async () => {
    const call = client.unary("Hang", Buffer.alloc(0), { deadline: Date.now() + 100 });
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await cancelled;
    expect(lastCall!.cancelled).toBe(true);
  });

  test("a stream of answers arrives in order and whole", async () => {
    const messages = await collect(client.serverStream("Count", Buffer.from("5000")));
    expect(messages.map(String)).toEqual(Array.from({ length: 5000 }, (_, i) => String(i)));
  });

  test("a stream that fails after a message gives both", async () => {
    const stream = client.serverStream("FailLate", Buffer.alloc(0));
    const messages: string[] = [];
    stream.on("data", (message: Buffer) => messages.push(message.toString()));
    const error = await new Promise((resolve) => stream.on("error", resolve));
    expect(error).toMatchObject({ code: status.ABORTED, details: "later" });
    expect(messages).toEqual(["one"]);
  });

  test.each(["Sum", "SumInPlace"])(
    "client streaming: messages of all sizes are counted (%s)",
    async (name) => {
      const stream = client.bidi(name);
      let bytes = 0;
      for (const size of [0, 1, 16_383, 16_384, 65_535, 1_000_000, 7]) {
        bytes += size;
        stream.write(randomBytes(size));
      }
      stream.end();
      expect((await collect(stream)).map(String)).toEqual([String(bytes)]);
    },
  );

  test("a request that can not be decoded where it lies ends its call", async () => {
    const stream = client.bidi("SumInPlace");
    const ended = new Promise((resolve) => stream.on("error", resolve));
    stream.write(Buffer.alloc(13));
    stream.resume();
    expect(await ended).toMatchObject({
      code: status.INTERNAL,
      details: "grpc: failed to unmarshal the received message: thirteen",
    });
  });

  test("a bidirectional stream echoes while it is open", async () => {
    const stream = client.bidi("EchoStream");
    for (const word of ["one", "two", "three"]) {
      const answer = new Promise((resolve) => stream.once("data", resolve));
      stream.write(Buffer.from(word));
      expect(await answer).toEqual(Buffer.from(word));
    }
    stream.end();
    expect(await collect(stream)).toEqual([]);
  });

  test("requests come to a handler that takes each in their order, also where it pauses", async () => {
    const stream = client.bidi("Take");
    const words = Array.from({ length: 500 }, (_, at) => `word ${at}`);
    for (const word of words) stream.write(Buffer.from(word));
    stream.end();
    expect((await collect(stream)).map(String)).toEqual(words);
  });

  test("a handler that takes each and can not take one ends the call with that", async () => {
    const stream = client.bidi("Take");
    const answers: string[] = [];
    stream.on("data", (answer: Buffer) => {
      answers.push(answer.toString());
      stream.write(Buffer.from("bad"));
    });
    const ended = new Promise((resolve) => stream.on("error", resolve));
    stream.write(Buffer.from("good"));
    expect(await ended).toMatchObject({ code: status.OUT_OF_RANGE, details: "a bad one" });
    expect(answers).toEqual(["good"]);
  });

  test("a client that cancels a stream cancels its handler", async () => {
    const stream = client.bidi("Watch");
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("data", resolve));
    stream.cancel();
    await cancelled;
    expect(lastCall!.cancelled).toBe(true);
  });

  test("a handler that ends before its client closes the stream well", async () => {
    const stream = client.bidi("EndEarly");
    expect(await collect(stream)).toEqual([]);
  });
});

test("an assertion that fails while decoding is mapped, not shown as a decoding failure", async () => {
  const broken = {
    ...unary("Broken", () => Buffer.alloc(0)),
    decode: () => {
      throw new AssertionError("our bug");
    },
  };
  const server = await startServer({
    methods: [broken],
    mapError: () => new RpcStatus(StatusCode.Internal, "mapped"),
  });
  const client = new GrpcJsClient(server.port);
  await expect(client.unary("Broken", Buffer.alloc(0))).rejects.toMatchObject({ details: "mapped" });
  client.close();
  await server.close();
});
