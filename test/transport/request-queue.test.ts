/** The requests of a stream on their way to a handler, and its responses on their way out. */
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../src/base/logger.js";
import { callMeter } from "../../src/transport/call-meter.js";
import type { Connection } from "../../src/transport/http2/connection.js";
import { cancelledStatus } from "../../src/transport/http2/grpc-call.js";
import { type RequestOwner, RequestQueue } from "../../src/transport/http2/grpc-requests.js";
import { GrpcService } from "../../src/transport/http2/grpc-service.js";
import { BidiCall } from "../../src/transport/http2/grpc-stream-call.js";
import type { RequestHead } from "../../src/transport/http2/request-head.js";
import { Stream } from "../../src/transport/http2/stream.js";
import { type BidiMethod, RpcStatus, StatusCode } from "../../src/transport/rpc.js";

describe("requests", () => {
  function queue() {
    const taken: number[] = [];
    const owner: RequestOwner<string> = {
      requestTaken: (bytes) => void taken.push(bytes),
      idleTaker: undefined,
    };
    return { taken, owner, requests: new RequestQueue<string>(owner) };
  }

  test("come in order, and count as taken only when the handler takes them: its pace is the client's", async () => {
    const { taken, requests } = queue();
    requests.push("a", 1);
    requests.push("b", 2);
    expect(taken).toEqual([]);
    expect(await requests.next()).toEqual({ value: "a", done: false });
    expect(taken).toEqual([1]);
    expect(await requests.next()).toEqual({ value: "b", done: false });
    const waits = requests.next();
    requests.push("c", 3);
    expect(await waits).toEqual({ value: "c", done: false });
    expect(taken).toEqual([1, 2, 3]);
  });

  describe("to a handler that takes each as it comes", () => {
    test("in the call that brought it, after those that waited", async () => {
      const { taken, owner, requests } = queue();
      const seen: string[] = [];
      requests.push("a", 1);
      const taker = { take: (request: string) => void seen.push(request) };
      const over = requests.takeEach(taker);
      expect(seen).toEqual(["a"]);
      // Its owner may pass the queue by from here on.
      expect(owner.idleTaker).toBe(taker);
      requests.push("b", 2);
      expect(seen).toEqual(["a", "b"]);
      expect(taken).toEqual([1, 2]);
      requests.end();
      await over;
    });

    test("none while it is busy: they count as not taken; then the others, and the end after the last", async () => {
      const { taken, owner, requests } = queue();
      const seen: string[] = [];
      let done = (): void => {};
      const take = (request: string): Promise<void> => {
        seen.push(request);
        return new Promise((resolve) => {
          done = resolve;
        });
      };
      const over = requests.takeEach({ take });
      requests.push("a", 1);
      requests.push("b", 2);
      requests.end();
      expect(taken).toEqual([1]);
      // Nobody may overtake the one that waits.
      expect(owner.idleTaker).toBeUndefined();
      done();
      await expect.poll(() => seen).toEqual(["a", "b"]);
      done();
      await over;
    });

    test.each([
      [
        "throws",
        () => {
          throw new Error("no");
        },
      ],
      ["fails later", () => Promise.reject(new Error("no"))],
    ])("one that %s gets no more, and what comes is dropped", async (_how, take) => {
      const { taken, owner, requests } = queue();
      const over = requests.takeEach({ take });
      requests.push("a", 1);
      await expect(over).rejects.toThrow("no");
      expect(owner.idleTaker).toBeUndefined();
      requests.push("b", 2);
      expect(taken).toEqual([1, 2]);
    });

    test("it is told when the call is over, also where it is busy or begins late", async () => {
      const { owner, requests } = queue();
      const over = requests.takeEach({ take: () => new Promise(() => {}) });
      requests.push("a", 1);
      requests.fail(new Error("gone"));
      expect(owner.idleTaker).toBeUndefined();
      await expect(over).rejects.toThrow("gone");
      await expect(requests.takeEach({ take: () => undefined })).rejects.toThrow("gone");
    });
  });

  test("those that wait are handed out though the client has ended", async () => {
    const { requests } = queue();
    requests.push("a", 1);
    requests.end();
    const all: string[] = [];
    for await (const request of requests) all.push(request);
    expect(all).toEqual(["a"]);
  });

  test("a handler that waits is told of the end, and of a failure", async () => {
    const ended = queue().requests;
    const waitsForEnd = ended.next();
    ended.end();
    expect(await waitsForEnd).toEqual({ value: undefined, done: true });
    const failed = queue().requests;
    const waitsInVain = failed.next();
    failed.fail(new Error("gone"));
    await expect(waitsInVain).rejects.toThrow("gone");
    await expect(failed.next()).rejects.toThrow("gone");
  });

  test("a call that failed hands out nothing that came before", async () => {
    const { taken, requests } = queue();
    requests.push("a", 1);
    requests.fail(new Error("gone"));
    await expect(requests.next()).rejects.toThrow("gone");
    expect(taken).toEqual([]);
  });

  test("a handler that stops early gives back what waits and what still comes", async () => {
    const { taken, requests } = queue();
    requests.push("a", 1);
    requests.push("b", 2);
    for await (const request of requests) if (request === "a") break;
    requests.push("c", 3);
    expect(taken).toEqual([1, 2, 3]);
  });

  test("thousands that wait are handed out in order", async () => {
    const { requests } = queue();
    for (let at = 0; at < 5_000; at++) requests.push(String(at), 1);
    for (let at = 0; at < 5_000; at++) expect((await requests.next()).value).toBe(String(at));
  });
});

describe("a call", () => {
  /** A call whose client has room, or not; the handler runs for as long as the test. */
  function call() {
    const sent: string[] = [];
    const client = { hasRoom: false };
    const stream = new Stream(1, 0, 0);
    const data = (_stream: Stream, _prefix: Uint8Array, bytes: Uint8Array): boolean => {
      sent.push(Buffer.from(bytes).toString());
      stream.openOutbox().writerWaits = !client.hasRoom;
      return client.hasRoom;
    };
    const connection = { sender: { head: () => {}, data } } as unknown as Connection;
    const options = { methods: [], mapError: () => cancelledStatus(), receiveBytesMax: 100 };
    const service = new GrpcService(options, { log: silentLogger, calls: undefined });
    const method: BidiMethod<string, string> = {
      kind: "bidi",
      path: "/s/M",
      decode: String,
      encode: (text) => Buffer.from(text),
      handle: () => new Promise(() => {}),
    };
    const session = { service, connection, peer: { address: "", certificateCommonName: undefined } };
    const head: RequestHead = {
      ...{ method: "POST", scheme: "http", path: method.path, authority: "", contentType: "" },
      ...{ contentLength: undefined, fields: [] },
    };
    const responses = new BidiCall(method, head, { session, stream, meter: callMeter(method, undefined) });
    const makeRoom = (): void => {
      client.hasRoom = true;
      stream.openOutbox().writerWaits = false;
      responses.drain();
    };
    return { responses, sent, makeRoom };
  }

  test("a handler waits while the client is behind, and goes on when there is room", async () => {
    const { responses, makeRoom } = call();
    expect(responses.write("a")).toBe(false);
    const order: string[] = [];
    const drained = responses.drained().then(() => order.push("drained"));
    await Promise.resolve();
    order.push("waiting");
    makeRoom();
    await drained;
    expect(order).toEqual(["waiting", "drained"]);
    expect(responses.write("b")).toBe(true);
    await responses.drained();
  });

  test("a call that is cancelled lets no handler wait for ever, and sends nothing more", async () => {
    const { responses, sent } = call();
    responses.write("a");
    const waits = responses.drained();
    responses.closed(undefined);
    await expect(waits).rejects.toMatchObject(new RpcStatus(StatusCode.Canceled, "context canceled"));
    await expect(responses.drained()).rejects.toMatchObject({ code: StatusCode.Canceled });
    expect(responses.write("b")).toBe(false);
    expect(sent).toEqual(["a"]);
  });
});
