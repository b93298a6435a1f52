/** The requests of a stream on their way to a handler, and its responses on their way out. */
import { describe, expect, test } from "vitest";
import { RequestQueue } from "../../src/transport/http2/grpc-requests.js";
import { CallSink } from "../../src/transport/http2/grpc-sink.js";
import { RpcStatus, StatusCode } from "../../src/transport/rpc.js";

describe("requests", () => {
  function queue() {
    const taken: number[] = [];
    return { taken, requests: new RequestQueue<string>({ requestTaken: (bytes) => void taken.push(bytes) }) };
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
      const { taken, requests } = queue();
      const seen: string[] = [];
      requests.push("a", 1);
      const over = requests.takeEach({ take: (request) => void seen.push(request) });
      expect(seen).toEqual(["a"]);
      requests.push("b", 2);
      expect(seen).toEqual(["a", "b"]);
      expect(taken).toEqual([1, 2]);
      requests.end();
      await over;
    });

    test("none while it is busy: they count as not taken; then the others, and the end after the last", async () => {
      const { taken, requests } = queue();
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
      const { taken, requests } = queue();
      const over = requests.takeEach({ take });
      requests.push("a", 1);
      await expect(over).rejects.toThrow("no");
      requests.push("b", 2);
      expect(taken).toEqual([1, 2]);
    });

    test("it is told when the call is over, also where it is busy or begins late", async () => {
      const { requests } = queue();
      const over = requests.takeEach({ take: () => new Promise(() => {}) });
      requests.push("a", 1);
      requests.fail(new Error("gone"));
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

describe("responses", () => {
  test("a handler waits while the client is behind, and goes on when there is room", async () => {
    let room = false;
    const sink = new CallSink<string>({ respond: () => room });
    expect(sink.write("a")).toBe(false);
    const order: string[] = [];
    const drained = sink.drained().then(() => order.push("drained"));
    order.push("waiting");
    room = true;
    sink.drain();
    await drained;
    expect(order).toEqual(["waiting", "drained"]);
    expect(sink.write("b")).toBe(true);
    await sink.drained();
  });

  test("a call that is cancelled lets no handler wait for ever, and sends nothing more", async () => {
    const sent: string[] = [];
    const respond = (response: string): boolean => {
      sent.push(response);
      return false;
    };
    const sink = new CallSink<string>({ respond });
    sink.write("a");
    const waits = sink.drained();
    sink.cancel();
    await expect(waits).rejects.toMatchObject(new RpcStatus(StatusCode.Canceled, "context canceled"));
    await expect(sink.drained()).rejects.toMatchObject({ code: StatusCode.Canceled });
    expect(sink.write("b")).toBe(false);
    expect(sent).toEqual(["a"]);
  });
});
