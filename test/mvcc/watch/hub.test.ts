/** The watch hub by scenario; each names what went wrong with watches in the world. */
import { describe, expect, test } from "vitest";
import { checkWatches } from "../../../cluster-test/watch-checker.js";
import { noWatchId, WatchOption } from "../../../src/mvcc/watch/watch.js";
import { del, put, txn } from "../fakes.js";
import { eventText, recordedWatch, WatchBench, watchCreate } from "./fixture.js";

function putAll(bench: WatchBench, ...keys: readonly string[]): void {
  for (const key of keys) bench.store.put(put(key, "v"));
}

/** The texts of the events of each answer. */
function answers(client: ReturnType<WatchBench["client"]>, watchId: number): readonly (readonly string[])[] {
  return client
    .answersOf(watchId)
    .filter((answer) => answer.events.length > 0)
    .map((answer) => answer.events.map(eventText));
}

describe("nothing is lost, repeated or out of order", () => {
  test("where history meets what is committed while it is read", () => {
    const bench = new WatchBench();
    putAll(bench, "a", "a", "a");
    bench.hub.deliver();
    const client = bench.client();
    const id = client.create("a", { startRevision: 2 });
    // Committed before the first slice, after it, and as a live event.
    putAll(bench, "a");
    bench.settle();
    putAll(bench, "a");
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["a@2", "a@3", "a@4", "a@5", "a@6"]);
  });

  test("when a watch is made again where its stream broke", () => {
    const bench = new WatchBench();
    const first = bench.client();
    const before = first.create("a");
    putAll(bench, "a", "a");
    bench.settle();
    first.stream.close();
    putAll(bench, "a", "b", "a");
    bench.settle();
    const second = bench.client();
    const after = second.create("a", { startRevision: first.answersOf(before).at(-1)!.revision + 1 });
    bench.settle();
    expect([...first.eventsOf(before), ...second.eventsOf(after)]).toEqual(["a@2", "a@3", "a@4", "a@6"]);
  });

  test("when a compaction passes a watch that reads slowly at its next revision", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a", { options: WatchOption.PrevKv });
    client.stopReading(1);
    putAll(bench, "a", "a", "a", "a");
    bench.hub.deliver();
    putAll(bench, "a");
    bench.hub.deliver();
    // It was told up to 5, and waits for 6: that and all after it are still there.
    bench.compact(6);
    client.read();
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["a@2", "a@3", "a@4", "a@5", "a@6"]);
    expect(client.answersOf(id).some((answer) => answer.canceled)).toBe(false);
  });

  test("and a watch that waits for what a compaction took is told so, once", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a");
    client.stopReading(0);
    putAll(bench, "a");
    bench.hub.deliver();
    putAll(bench, "a", "a", "a");
    bench.hub.deliver();
    bench.compact(5);
    client.read();
    bench.settle();
    putAll(bench, "a");
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["a@2"]);
    expect(client.answersOf(id).filter((answer) => answer.canceled)).toMatchObject([{ compactRevision: 5 }]);
    // It is the client's until it says so.
    expect(client.stream.cancel(id)).toBe(true);
    expect(client.stream.cancel(id)).toBe(false);
  });

  test("when a tombstone at the compacted revision is the first thing to tell", () => {
    const bench = new WatchBench();
    putAll(bench, "a");
    bench.store.deleteRange(del("a"));
    bench.compact(3);
    const client = bench.client();
    const id = client.create("a", { startRevision: 3, options: WatchOption.PrevKv });
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["-a@3"]);
  });
});

describe("a transaction is one", () => {
  test("live and from history, however many of its keys are watched", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const live = client.create("a", { rangeEnd: "z" });
    const ops = ["a", "b", "c"].map((key) => ({ kind: "put", request: put(key, "v") }) as const);
    bench.store.txn(txn({ success: ops }));
    bench.settle();
    const past = client.create("a", { rangeEnd: "z", startRevision: 2 });
    bench.settle();
    expect(answers(client, live)).toEqual([["a@2", "b@2", "c@2"]]);
    expect(answers(client, past)).toEqual([["a@2", "b@2", "c@2"]]);
  });

  test("and several of one turn may share an answer, whole", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a");
    putAll(bench, "a", "b", "a");
    bench.settle();
    expect(answers(client, id)).toEqual([["a@2", "a@4"]]);
    expect(client.answersOf(id).at(-1)!.revision).toBe(4);
  });
});

describe("a start revision in the future", () => {
  test("gets nothing older, though its keys are written and others on the same key are told", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const now = client.create("a");
    const future = client.create("a", { startRevision: 4 });
    putAll(bench, "a", "a", "a", "a");
    bench.settle();
    expect(client.eventsOf(now)).toEqual(["a@2", "a@3", "a@4", "a@5"]);
    expect(client.eventsOf(future)).toEqual(["a@4", "a@5"]);
  });

  test("outlives a snapshot that does not reach it", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a", { startRevision: 6 });
    const ahead = new WatchBench();
    putAll(ahead, "a", "a");
    bench.install(ahead);
    bench.settle();
    expect(bench.hub.laggingCount).toBe(0);
    putAll(bench, "a", "a", "a");
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["a@6"]);
  });
});

describe("a store replaced by a snapshot", () => {
  test("tells every watch what it missed, live ones and those that lag", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const live = client.create("a");
    const slowClient = bench.client();
    const slow = slowClient.create("a");
    slowClient.stopReading(0);
    putAll(bench, "a");
    bench.hub.deliver();
    const ahead = new WatchBench();
    ahead.install(bench);
    putAll(ahead, "b", "a", "a");
    // While the store is being replaced nothing can be read.
    bench.readable = false;
    bench.settle();
    bench.install(ahead);
    bench.readable = true;
    slowClient.read();
    bench.settle();
    putAll(bench, "a");
    bench.settle();
    for (const [who, id] of [[client, live] as const, [slowClient, slow] as const]) {
      expect(who.eventsOf(id)).toEqual(["a@2", "a@4", "a@5", "a@6"]);
    }
  });

  test("ends the watches whose next revision it has no more", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a");
    const ahead = new WatchBench();
    putAll(ahead, "a", "a", "a");
    ahead.compact(4);
    bench.install(ahead);
    bench.settle();
    expect(client.eventsOf(id)).toEqual([]);
    expect(client.answersOf(id).at(-1)).toMatchObject({ canceled: true, compactRevision: 4 });
  });
});

describe("progress", () => {
  test("is not answered before a watch of the stream has its history, then after it", () => {
    const bench = new WatchBench();
    putAll(bench, "a");
    bench.settle();
    const client = bench.client();
    client.create("b");
    const past = client.create("a", { startRevision: 2 });
    client.stream.requestProgress();
    client.stream.requestProgress();
    expect(client.answersOf(noWatchId)).toEqual([]);
    bench.settle();
    expect(client.told.slice(-2).map(({ watchId }) => watchId)).toEqual([past, noWatchId]);
    expect(client.answersOf(noWatchId)).toMatchObject([{ revision: 2, events: [] }]);
  });

  test("waits while the client does not read, and for a start in the future", () => {
    const bench = new WatchBench();
    const client = bench.client();
    const id = client.create("a", { startRevision: 3 });
    client.stream.requestProgress();
    putAll(bench, "a");
    bench.settle();
    expect(client.answersOf(noWatchId)).toEqual([]);
    client.stopReading(0);
    putAll(bench, "a");
    bench.settle();
    putAll(bench, "a");
    bench.settle();
    expect(client.answersOf(noWatchId)).toEqual([]);
    client.read();
    bench.settle();
    expect(client.eventsOf(id)).toEqual(["a@3", "a@4"]);
    expect(client.told.at(-1)).toMatchObject({ watchId: noWatchId, answer: { revision: 4 } });
  });

  test("by time comes to idle watches that asked for it and have got everything", () => {
    const bench = new WatchBench();
    putAll(bench, "b");
    bench.settle();
    const client = bench.client();
    const options = WatchOption.ProgressNotify;
    const idle = client.create("a", { options });
    const busy = client.create("b", { options });
    const silent = client.create("a");
    const past = client.create("b", { options, startRevision: 2 });
    client.stream.notifyIdle();
    bench.settle();
    putAll(bench, "b");
    bench.settle();
    client.stream.notifyIdle();
    const notified = (id: number) =>
      client.answersOf(id).filter((answer) => !answer.created && answer.events.length === 0).length;
    expect([idle, busy, silent, past].map(notified)).toEqual([2, 1, 0, 0]);
    client.stream.notifyIdle();
    expect([idle, busy, silent, past].map(notified)).toEqual([3, 2, 0, 1]);
  });
});

describe("sharing", () => {
  test("watches with the same keys and options are given the same bytes", () => {
    const bench = new WatchBench();
    const clients = [0, 1, 2].map(() => bench.client());
    for (const client of clients) client.create("a", { rangeEnd: "c" });
    const other = bench.client();
    other.create("a", { rangeEnd: "c", options: WatchOption.PrevKv });
    putAll(bench, "a", "a");
    bench.settle();
    expect(clients[1]!.eventBytes[0]).toBe(clients[0]!.eventBytes[0]);
    expect(clients[2]!.eventBytes[0]).toBe(clients[0]!.eventBytes[0]);
    expect(other.eventBytes[0]).not.toBe(clients[0]!.eventBytes[0]);
  });

  test("a client that does not read is given a bounded backlog, and the others everything", () => {
    const bench = new WatchBench();
    const slow = bench.client();
    const ids = [slow.create("a"), slow.create("a")];
    const quick = bench.client();
    const id = quick.create("a");
    slow.stopReading(2);
    const toldBefore = slow.told.length;
    for (let n = 0; n < 50; n++) {
      putAll(bench, "a");
      bench.settle();
    }
    expect(quick.eventsOf(id)).toHaveLength(50);
    expect(slow.told.length - toldBefore).toBeLessThanOrEqual(3);
    slow.read();
    bench.settle();
    const requests = ids.map((watchId) => recordedWatch(slow, watchId, watchCreate("a"), 51));
    expect(checkWatches(requests, { events: bench.written, compactedRevision: 0 })).toEqual([]);
  });
});

describe("ids", () => {
  test("a stream refuses what is taken, empty or too much, and gives out the rest", () => {
    const { stream } = new WatchBench().client();
    const idOf = (watchId: number) => {
      const made = stream.create(watchCreate("a", { watchId }));
      return typeof made === "string" ? made : made.id;
    };
    expect([0, 1, 0, 5, 5].map(idOf)).toEqual([0, 1, 2, 5, "duplicateId"]);
    expect(stream.create(watchCreate("b", { rangeEnd: "a" }))).toBe("emptyRange");
    expect(stream.cancel(0)).toBe(true);
    expect([0, 0, 0].map(idOf)).toEqual([3, 4, 6]);
  });

  test("a stream that ends leaves nothing behind, wherever its watches were", () => {
    const bench = new WatchBench();
    putAll(bench, "a");
    const client = bench.client();
    client.create("a");
    client.create("a", { startRevision: 2 });
    client.stopReading(0);
    putAll(bench, "a");
    bench.hub.deliver();
    putAll(bench, "a");
    bench.hub.deliver();
    client.stream.requestProgress();
    expect(bench.hub.laggingCount).toBeGreaterThan(0);
    client.stream.close();
    expect([bench.hub.watchCount, bench.hub.laggingCount, bench.hub.streamCount]).toEqual([0, 0, 0]);
    putAll(bench, "a");
    bench.settle();
  });
});
