import { describe, expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { GrpcCode, WatchCanceledError } from "../../src/client/errors.js";
import { Watches } from "../../src/client/watch.js";
import type { WatchBatch, Watcher } from "../../src/client/watcher.js";
import { type WatchRequest, WatchResponse } from "../../src/gen/etcdserver.js";
import { FakeConnection, failure } from "./fake-connection.js";
import { FakeWatchServer } from "./fake-watch-server.js";

/** "revision:key key" of each batch until `last` was delivered. */
async function readUntil(watcher: Watcher, last: bigint): Promise<string[]> {
  const batches: string[] = [];
  for await (const { events } of watcher) {
    const revisions = [...new Set(events.map(({ kv }) => kv.modRevision))];
    for (const revision of revisions) {
      const keys = events.filter(({ kv }) => kv.modRevision === revision);
      batches.push(`${revision}:${keys.map(({ kv }) => Buffer.from(kv.key).toString()).join(" ")}`);
    }
    if (revisions.includes(last)) break;
  }
  return batches;
}

const history = ["2:a", "3:b c d", "4:e", "5:f g h i", "6:j", "7:k l"];

function fill(server: FakeWatchServer): void {
  for (const entry of history) server.put(entry.split(":")[1]!.split(" "));
}

describe("a stream that breaks", () => {
  // Created, then fragments of one to two events: more answers than there are in any of the sequences.
  const points = Array.from({ length: 20 }, (_, point) => point + 1);

  test.each(points)(
    "after answer %i: every event comes once, in order, whole transactions",
    async (point) => {
      for (const revisionsPerAnswer of [1, 2, 4]) {
        for (const eventsPerFragment of [1, 2, Number.POSITIVE_INFINITY]) {
          const server = new FakeWatchServer();
          Object.assign(server, { revisionsPerAnswer, eventsPerFragment });
          fill(server);
          server.breaksAfter = (answers) => answers === point;
          const watcher = new Watches(server.connection).watch("", { prefix: true, startRevision: 2 });
          expect(await readUntil(watcher, 7n)).toEqual(history);
        }
      }
    },
  );

  test.each(points)("after answer %i: three watches on it go on, each where it was", async (point) => {
    const server = new FakeWatchServer();
    server.eventsPerFragment = 2;
    fill(server);
    server.breaksAfter = (answers) => answers === point;
    const watches = new Watches(server.connection);
    const reads = [2, 4, 6].map((startRevision) => readUntil(watches.watch("", { startRevision }), 7n));
    expect(await Promise.all(reads)).toEqual([history, history.slice(2), history.slice(4)]);
  });

  test("again and again, as soon as one more transaction came through", async () => {
    const server = new FakeWatchServer();
    server.eventsPerFragment = 1;
    fill(server);
    // The largest transaction needs its four fragments and the answer that the watch is created.
    server.breaksAfter = (answers) => answers % 5 === 0;
    const watcher = new Watches(server.connection).watch("", { startRevision: 1 });
    expect(await readUntil(watcher, 7n)).toEqual(history);
    expect(server.connection.streams.length).toBeGreaterThan(3);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "after answer %i: a watch from now on misses nothing since it is ready",
    async (point) => {
      const server = new FakeWatchServer();
      server.put(["before"]);
      server.breaksAfter = (answers) => answers === point;
      const watcher = new Watches(server.connection).watch("");
      expect(await watcher.ready()).toBe(3n);
      for (const key of ["a", "b", "c", "d"]) server.put([key]);
      expect(await readUntil(watcher, 6n)).toEqual(["3:a", "4:b", "5:c", "6:d"]);
    },
  );

  test("a watch that begins in the future sees nothing before, whatever breaks", async () => {
    const server = new FakeWatchServer();
    const watcher = new Watches(server.connection).watch("", { startRevision: 4 });
    await watcher.ready();
    server.put(["early"]);
    server.connection.latest.break();
    server.put(["early too"]);
    server.put(["at last"]);
    expect(await readUntil(watcher, 4n)).toEqual(["4:at last"]);
  });

  test("a move to another endpoint is no different", async () => {
    const server = new FakeWatchServer();
    const watcher = new Watches(server.connection).watch("", { startRevision: 2 });
    await watcher.ready();
    server.put(["a"]);
    server.connection.move();
    server.put(["b"]);
    expect(await readUntil(watcher, 3n)).toEqual(["2:a", "3:b"]);
    expect(server.connection.streams.length).toBe(2);
  });

  test("history compacted meanwhile is an error that tells the revision, after what was received", async () => {
    const server = new FakeWatchServer();
    const watcher = new Watches(server.connection).watch("", { startRevision: 2 });
    await watcher.ready();
    server.put(["a"]);
    server.connection.latest.break();
    server.put(["lost"]);
    server.compact(3n);
    const seen: WatchBatch[] = [];
    const reading = (async () => {
      for await (const batch of watcher) seen.push(batch);
    })();
    const error = await reading.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WatchCanceledError);
    expect(error).toMatchObject({ code: GrpcCode.OutOfRange, compactRevision: 4n });
    expect(seen.length).toBe(1);
  });
});

/** A connection on which the test answers by hand. */
function byHand() {
  const connection = new FakeConnection<WatchRequest, WatchResponse>();
  const watches = new Watches(connection);
  const answer = (response: Parameters<typeof WatchResponse.fromPartial>[0]): void =>
    connection.latest.answer(WatchResponse.fromPartial({ header: { revision: 9n }, ...response }));
  const requests = () => connection.latest.sent.map(({ requestUnion }) => requestUnion!);
  return { connection, watches, answer, requests };
}
const opened = () => new Promise((resolve) => setImmediate(resolve));
const event = (modRevision: bigint) => ({ kv: { key: Buffer.from("k"), modRevision } });

test("a repeated event is dropped", async () => {
  const { watches, answer } = byHand();
  const watcher = watches.watch("k", { startRevision: 5 });
  await opened();
  answer({ created: true });
  answer({ events: [event(5n)] });
  answer({ events: [event(5n), event(6n)] });
  expect(await readUntil(watcher, 6n)).toEqual(["5:k", "6:k"]);
});

test("one of many is refused: its error tells why, the others live on", async () => {
  const { watches, answer } = byHand();
  const refused = watches.watch("secret");
  const other = watches.watch("k");
  await opened();
  const cancelReason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
  answer({ created: true, canceled: true, watchId: -1n, cancelReason });
  answer({ created: true, watchId: 0n });
  await expect(refused.ready()).rejects.toMatchObject({
    code: GrpcCode.PermissionDenied,
    message: "etcdserver: permission denied",
    compactRevision: undefined,
  });
  expect(await other.ready()).toBe(10n);
});

test("a token that expired is renewed, a few times", async () => {
  const { connection, watches, answer } = byHand();
  const watcher = watches.watch("k");
  for (let refusal = 0; refusal <= limits.clientTokenRefusalsMax; refusal++) {
    await opened();
    while (connection.latest.isOver) await new Promise((resolve) => setTimeout(resolve, 5));
    answer({ created: true, canceled: true, cancelReason: "etcdserver: invalid auth token" });
  }
  await expect(watcher.ready()).rejects.toThrow("invalid auth token");
  const renewals = connection.streams.map((stream) => stream.renewals);
  expect(renewals).toEqual([1, 1, 1, 0]);
});

test("leaving the loop, closing and aborting each end the watch at the server", async () => {
  const { connection, watches, answer, requests } = byHand();
  const controller = new AbortController();
  const left = watches.watch("left", { startRevision: 1 });
  const closed = watches.watch("closed");
  const aborted = watches.watch("aborted", { signal: controller.signal });
  const kept = watches.watch("kept");
  await opened();
  for (const watchId of [0n, 1n, 2n, 3n]) answer({ created: true, watchId });
  answer({ watchId: 0n, events: [event(2n)] });
  expect(await readUntil(left, 2n)).toEqual(["2:k"]);
  const loop = readUntil(closed, 0n);
  closed.close();
  expect(await loop).toEqual([]);
  const abortedLoop = readUntil(aborted, 0n);
  controller.abort();
  await expect(abortedLoop).rejects.toMatchObject({ code: GrpcCode.Canceled });
  const cancels = requests().filter((request) => request.$case === "cancelRequest");
  expect(cancels.map(({ value }) => value)).toEqual([{ watchId: 0n }, { watchId: 1n }, { watchId: 2n }]);
  expect(connection.latest.isOver).toBe(false);
  kept.close();
  // Nothing is watched any more: no stream is needed.
  expect(connection.latest.isOver).toBe(true);
});

test("a watch that is closed before the server took it is canceled when it did, and no other is hit", async () => {
  const { watches, answer, requests } = byHand();
  const early = watches.watch("early");
  const other = watches.watch("other", { startRevision: 3 });
  await opened();
  early.close();
  answer({ created: true, watchId: 0n });
  answer({ created: true, watchId: 1n });
  answer({ watchId: 0n, events: [event(3n)] });
  answer({ watchId: 1n, events: [event(4n)] });
  expect(await readUntil(other, 4n)).toEqual(["4:k"]);
  expect(requests().at(2)).toMatchObject({ $case: "cancelRequest", value: { watchId: 0n } });
  await expect(early.ready()).rejects.toMatchObject({ code: GrpcCode.Canceled });
});

test("an error that another endpoint would not mend ends all watches; a later one tries anew", async () => {
  const { connection, watches } = byHand();
  const first = watches.watch("a");
  const second = watches.watch("b");
  await opened();
  connection.latest.break(failure(GrpcCode.Unimplemented, "no such service"));
  await expect(first.ready()).rejects.toThrow("no such service");
  await expect(second.ready()).rejects.toThrow("no such service");
  watches.watch("c");
  await opened();
  expect(connection.streams.length).toBe(2);
});

test("progress: told to those who want it, and resumed after, so that a compaction does not pass a quiet watch by", async () => {
  const { connection, watches, answer, requests } = byHand();
  const wants = watches.watch("a", { progressNotify: true, startRevision: 2 });
  watches.watch("b", { startRevision: 2 });
  await opened();
  answer({ created: true, watchId: 0n });
  answer({ created: true, watchId: 1n });
  answer({ watchId: 0n, header: { revision: 50n } });
  answer({ watchId: 1n, header: { revision: 40n } });
  for await (const { header, events } of wants) {
    expect([header.revision, events.length]).toEqual([50n, 0]);
    break;
  }
  connection.latest.break();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(connection.streams.length).toBe(2);
  expect(requests()).toMatchObject([{ $case: "createRequest", value: { startRevision: 41n } }]);
});

test("progress asked for reaches every watch, but moves none of them past events that it might have overtaken", async () => {
  const { connection, watches, answer, requests } = byHand();
  const watcher = watches.watch("a", { startRevision: 2 });
  await opened();
  answer({ created: true, watchId: 0n });
  watches.requestProgress();
  expect(requests().at(-1)).toMatchObject({ $case: "progressRequest" });
  answer({ watchId: -1n, header: { revision: 60n } });
  const batches = watcher[Symbol.asyncIterator]();
  expect((await batches.next()).value).toMatchObject({ header: { revision: 60n }, events: [] });
  connection.latest.break();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(requests()).toMatchObject([{ $case: "createRequest", value: { startRevision: 2n } }]);
});

test("a reader that is slow holds a bounded backlog, is left out of the stream, and gets everything in the end", async () => {
  const server = new FakeWatchServer();
  const watches = new Watches(server.connection);
  const slow = watches.watch("", { startRevision: 2 });
  const quick = watches.watch("", { startRevision: 2 });
  const mebibyte = "v".repeat(2 ** 20);
  const total = 40;
  const quickRead = readUntil(quick, BigInt(total + 1));
  await slow.ready();
  for (let n = 0; n < total; n++) {
    server.put([`k${n}`], mebibyte);
    await Promise.resolve();
  }
  const all = Array.from({ length: total }, (_, n) => `${n + 2}:k${n}`);
  expect(await quickRead).toEqual(all);
  expect(server.cancels).toBeGreaterThan(0);
  // Nothing was read yet, and no more is held than the bound and the batch that crossed it.
  expect(Number(slow.nextRevision - 2n)).toBe(limits.clientWatchBacklogBytesMax / 2 ** 20);
  expect(await readUntil(slow, BigInt(total + 1))).toEqual(all);
  expect(server.connection.streams.length).toBe(1);
});
