/**
 * The Watch service on the wire, against one and three members of ours and against etcd: what a client library
 * relies on before it shows its user an event. The first member takes the writes, the last one the watches.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WatchResponse } from "../../src/gen/etcdserver.js";
import { describeTargets, type TargetCluster } from "../compat/targets.js";
import { isAtLeast } from "../support/server-binary.js";
import { eventTexts, facts, RawClient, type WatchSession } from "./watch-session.js";

const noPut = 0;
const noDelete = 1;

interface Pair {
  readonly writer: RawClient;
  readonly watcher: RawClient;
  readonly atLeast: (major: number, minor: number) => boolean;
}

type Case = (pair: Pair) => Promise<void>;

async function created(session: WatchSession): Promise<WatchResponse> {
  const answer = await session.take();
  expect(facts(answer)).toMatchObject({ created: true, canceled: false, cancelReason: "" });
  return answer;
}

const cases: Readonly<Record<string, Case>> = {
  "each create is answered at the revision where it begins; ids count up from 0": async ({
    writer,
    watcher,
  }) => {
    await writer.put("ids/a", "1");
    const revision = await watcher.revision();
    const session = watcher.watch();
    session.create("ids/a");
    session.create("ids/a");
    const [first, second] = await session.takeMany(2);
    expect([first!.watchId, second!.watchId]).toEqual([0n, 1n]);
    expect(first!.header!.revision).toBe(BigInt(revision));
    expect(first!.events).toEqual([]);
    const next = await writer.put("ids/a", "2");
    const texts = await session.takeMany(2);
    expect(texts.map(eventTexts)).toEqual([[`ids/a=2@${next}`], [`ids/a=2@${next}`]]);
    expect(texts.map((answer) => answer.header!.revision)).toEqual([BigInt(next), BigInt(next)]);
    session.close();
  },

  "a client chooses ids; one that is taken is refused and the stream lives on": async ({
    writer,
    watcher,
  }) => {
    const session = watcher.watch();
    const huge = 0x7fff_ffff_ffff_fff1n;
    for (const watchId of [2n, huge, huge - 1n, -7n]) {
      session.create("chosen", { watchId });
      expect((await created(session)).watchId).toBe(watchId);
    }
    session.create("chosen", { watchId: huge });
    const refused = await session.take();
    expect(facts(refused)).toEqual({
      watchId: -1n,
      created: true,
      canceled: true,
      compactRevision: 0n,
      cancelReason: "mvcc: duplicate watch ID provided on the WatchStream",
    });
    // Automatic ones pass over those that are taken.
    for (const expected of [0n, 1n, 3n]) {
      session.create("chosen");
      expect((await created(session)).watchId).toBe(expected);
    }
    await writer.put("chosen", "v");
    const told = await session.takeMany(7);
    expect(new Set(told.map((answer) => answer.watchId)).size).toBe(7);
    session.close();
  },

  "an empty range is refused, a whole key space is not": async ({ writer, watcher }) => {
    const session = watcher.watch();
    for (const [key, rangeEnd] of [
      ["b", "a"],
      ["b", "b"],
    ] as const) {
      session.create(key, { rangeEnd });
      const refused = facts(await session.take());
      expect(refused).toEqual({
        watchId: -1n,
        created: true,
        canceled: true,
        compactRevision: 0n,
        cancelReason: "mvcc: watcher range is empty",
      });
    }
    session.create("", { rangeEnd: "\0" });
    await created(session);
    const revision = await writer.put("\xff whole", "v");
    expect(await session.takeEvents(1)).toEqual([`\xff whole=v@${revision}`]);
    session.close();
  },

  "a watch of a prefix sees its keys alone, one of a single key not the keys after it": async ({
    writer,
    watcher,
  }) => {
    const session = watcher.watch();
    session.create("span/b", { rangeEnd: "span/c", watchId: 1n });
    session.create("span/b", { watchId: 2n });
    await session.takeMany(2);
    await writer.put("span/a", "v");
    await writer.put("span/b2", "v");
    await writer.put("span/c", "v");
    const last = await writer.put("span/b", "v");
    const told = await session.takeMany(3);
    const of = (id: bigint) => told.filter(({ watchId }) => watchId === id).flatMap(eventTexts);
    expect(of(1n)).toEqual([`span/b2=v@${last - 2}`, `span/b=v@${last}`]);
    expect(of(2n)).toEqual([`span/b=v@${last}`]);
    session.close();
  },

  "a start revision below 0 is refused as compacted and harms nobody": async ({
    writer,
    watcher,
    atLeast,
  }) => {
    if (!atLeast(3, 7)) return;
    const session = watcher.watch();
    session.create("negative", { startRevision: -1n });
    expect(facts(await session.take())).toEqual({
      watchId: -1n,
      created: true,
      canceled: true,
      compactRevision: 0n,
      cancelReason: "etcdserver: mvcc: required revision has been compacted",
    });
    session.create("negative");
    await created(session);
    await writer.put("negative", "v");
    await session.takeEvents(1);
    session.close();
  },

  "watch 0 can be cancelled; what is unknown is passed over": async ({ writer, watcher }) => {
    const session = watcher.watch();
    session.create("cancel", { watchId: 0n });
    expect((await created(session)).watchId).toBe(0n);
    session.create("cancel", { watchId: 9n });
    await created(session);
    session.cancel(77n);
    session.sendNothing();
    session.cancel(0n);
    expect(facts(await session.take())).toEqual({
      watchId: 0n,
      created: false,
      canceled: true,
      compactRevision: 0n,
      cancelReason: "",
    });
    await writer.put("cancel", "v");
    const answer = await session.take();
    expect(answer.watchId).toBe(9n);
    // The id that was cancelled is not given out again, as a client may still wait for its last answers.
    session.create("cancel");
    expect((await created(session)).watchId).toBe(1n);
    session.close();
  },

  "history comes from the start revision on, then what is new, without a gap": async ({
    writer,
    watcher,
  }) => {
    const first = await writer.put("seam/k", "0");
    for (let n = 1; n < 20; n++) await writer.put("seam/k", `${n}`);
    await watcher.revision();
    const session = watcher.watch();
    session.create("seam/", { rangeEnd: "seam0", startRevision: BigInt(first + 5) });
    const writing = (async () => {
      for (let n = 20; n < 60; n++) await writer.put("seam/k", `${n}`);
    })();
    await created(session);
    const texts = await session.takeEvents(55);
    await writing;
    expect(texts).toEqual(Array.from({ length: 55 }, (_, at) => `seam/k=${at + 5}@${first + at + 5}`));
    session.close();
  },

  "a start revision in the future gets nothing older": async ({ writer, watcher }) => {
    const now = await writer.put("future", "old");
    await watcher.revision();
    const session = watcher.watch();
    session.create("future", { startRevision: BigInt(now + 3) });
    await created(session);
    for (const value of ["1", "2", "3", "4"]) await writer.put("future", value);
    expect(await session.takeEvents(2)).toEqual([`future=3@${now + 3}`, `future=4@${now + 4}`]);
    session.close();
  },

  "a compacted start ends the watch with the revision to go on from, and leaves the stream alone": async ({
    writer,
    watcher,
  }) => {
    const first = await writer.put("compacted", "1");
    await writer.put("compacted", "2");
    const third = await writer.put("compacted", "3");
    await writer.compact(third);
    await watcher.revision();
    const session = watcher.watch();
    session.create("compacted", { startRevision: BigInt(first), watchId: 5n });
    await created(session);
    const ended = await session.take();
    expect(facts(ended)).toEqual({
      watchId: 5n,
      created: false,
      canceled: true,
      compactRevision: BigInt(third),
      cancelReason: "",
    });
    // As told: from the compacted revision on everything is there.
    session.create("compacted", { startRevision: ended.compactRevision, prevKv: true });
    await created(session);
    expect(await session.takeEvents(1)).toEqual([`compacted=3@${third}`]);
    session.cancel(5n);
    expect(facts(await session.take())).toMatchObject({ watchId: 5n, canceled: true });
    session.close();
  },

  "prev_kv is the pair before, of live events and of past ones, and absent for a key that was not there":
    async ({ writer, watcher }) => {
      const live = watcher.watch();
      live.create("prev/", { rangeEnd: "prev0", prevKv: true });
      await created(live);
      const a = await writer.put("prev/k", "1");
      await writer.put("prev/k", "2");
      await writer.delete("prev/k");
      await writer.put("prev/k", "3");
      const expected = [
        `prev/k=1@${a}`,
        `prev/k=2@${a + 1}!1@${a}`,
        `-prev/k@${a + 2}!2@${a + 1}`,
        `prev/k=3@${a + 3}`,
      ];
      expect(await live.takeEvents(4)).toEqual(expected);
      live.close();
      const past = watcher.watch();
      past.create("prev/", { rangeEnd: "prev0", prevKv: true, startRevision: BigInt(a) });
      await created(past);
      expect(await past.takeEvents(4)).toEqual(expected);
      past.close();
    },

  "a created key says so, a deleted one carries key and revision alone": async ({ writer, watcher }) => {
    const session = watcher.watch();
    session.create("life");
    await created(session);
    for (const step of ["put", "put", "delete", "put"]) {
      if (step === "put") await writer.put("life", "v");
      else await writer.delete("life");
    }
    const events: WatchResponse["events"] = [];
    while (events.length < 4) events.push(...(await session.take()).events);
    const pairs = events.map(({ kv }) => kv!);
    expect(pairs.map(({ version }) => version)).toEqual([1n, 2n, 0n, 1n]);
    expect(pairs.map(({ createRevision, modRevision }) => createRevision === modRevision)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(pairs[2]).toMatchObject({ createRevision: 0n, lease: 0n });
    expect([pairs[2]!.value.length, pairs[2]!.key.length]).toEqual([0, 4]);
    session.close();
  },

  "filters keep puts or deletes away, live and from history": async ({ writer, watcher }) => {
    const first = await writer.put("filter", "1");
    await writer.delete("filter");
    await watcher.revision();
    const session = watcher.watch();
    const startRevision = BigInt(first);
    session.create("filter", { watchId: 1n, filters: [noPut], startRevision });
    session.create("filter", { watchId: 2n, filters: [noDelete], startRevision });
    session.create("filter", { watchId: 3n, filters: [noPut, noDelete], startRevision });
    const told = [...(await session.takeMany(5))];
    await writer.put("filter", "2");
    await writer.delete("filter");
    told.push(...(await session.takeMany(2)));
    const of = (id: bigint) => told.filter(({ watchId }) => watchId === id).flatMap(eventTexts);
    expect(of(1n)).toEqual([`-filter@${first + 1}`, `-filter@${first + 3}`]);
    expect(of(2n)).toEqual([`filter=1@${first}`, `filter=2@${first + 2}`]);
    expect(of(3n)).toEqual([]);
    session.close();
  },

  "a transaction comes whole in one answer, live and from history": async ({ writer, watcher }) => {
    const live = watcher.watch();
    live.create("txn/", { rangeEnd: "txn0" });
    await created(live);
    const pairs = Array.from(
      { length: 100 },
      (_, at) => [`txn/${String(at).padStart(3, "0")}`, "v"] as const,
    );
    const revision = await writer.putAll(pairs);
    const expected = pairs.map(([key]) => `${key}=v@${revision}`);
    expect(eventTexts(await live.take())).toEqual(expected);
    live.close();
    const past = watcher.watch();
    past.create("txn/", { rangeEnd: "txn0", startRevision: BigInt(revision) });
    await created(past);
    expect(eventTexts(await past.take())).toEqual(expected);
    past.close();
  },

  "a large revision comes in fragments below the request limit to who takes them, else whole": async ({
    writer,
    watcher,
  }) => {
    const value = Buffer.alloc(700 * 1024, "x");
    for (let n = 0; n < 6; n++) await writer.put(`fragment/${n}`, value);
    await watcher.revision();
    const session = watcher.watch();
    session.create("fragment/", { rangeEnd: "fragment0", prevKv: true, fragment: true, watchId: 1n });
    session.create("fragment/", { rangeEnd: "fragment0", prevKv: true, watchId: 2n });
    await session.takeMany(2);
    await writer.delete("fragment/", "fragment0");
    const told = await session.takeMany(4);
    const whole = told.filter(({ watchId }) => watchId === 2n);
    const pieces = told.filter(({ watchId }) => watchId === 1n);
    expect(whole.map(({ events, fragment }) => [events.length, fragment])).toEqual([[6, false]]);
    expect(pieces.map(({ events, fragment }) => [events.length, fragment])).toEqual([
      [2, true],
      [2, true],
      [2, false],
    ]);
    const texts = (answers: readonly WatchResponse[]) =>
      answers.flatMap((answer) => eventTexts(answer).map((text) => `${text.length} ${text.slice(0, 20)}`));
    expect(texts(pieces)).toEqual(texts(whole));
    session.close();
  },

  "a progress request is answered for the whole stream, after the events before it": async ({
    writer,
    watcher,
    atLeast,
  }) => {
    if (!atLeast(3, 5)) return;
    const session = watcher.watch();
    session.create("progress");
    session.create("elsewhere");
    await session.takeMany(2);
    const revision = await writer.put("progress", "v");
    const target = await watcher.revision();
    session.requestProgress();
    const [event, progress] = await session.takeMany(2);
    expect(eventTexts(event!)).toEqual([`progress=v@${revision}`]);
    expect(facts(progress!)).toEqual({
      watchId: -1n,
      created: false,
      canceled: false,
      compactRevision: 0n,
      cancelReason: "",
    });
    expect(progress!.header!.revision).toBe(BigInt(target));
    session.close();
  },

  "a progress request on a stream without watches has no answer": async ({ watcher, atLeast }) => {
    if (!atLeast(3, 5)) return;
    const session = watcher.watch();
    session.requestProgress();
    session.create("empty");
    await created(session);
    expect(session.untaken).toEqual([]);
    session.close();
  },

  "a client that has sent all its requests still gets its events": async ({ writer, watcher }) => {
    const session = watcher.watch();
    session.create("half-closed");
    await created(session);
    session.halfClose();
    const revision = await writer.put("half-closed", "v");
    expect(await session.takeEvents(1)).toEqual([`half-closed=v@${revision}`]);
    session.close();
  },

  "ten thousand watches on one stream each get their event": async ({ writer, watcher }) => {
    const session = watcher.watch();
    const count = 10_000;
    for (let n = 0; n < count; n++) session.create(`many/${n}`);
    for (let n = 0; n < count; n++) expect((await session.take()).watchId).toBe(BigInt(n));
    for (const n of [0, 4_711, count - 1]) {
      const revision = await writer.put(`many/${n}`, "v");
      const answer = await session.take();
      expect([answer.watchId, eventTexts(answer)]).toEqual([BigInt(n), [`many/${n}=v@${revision}`]]);
    }
    session.close();
  },

  "a thousand streams each get the event": async ({ writer, watcher }) => {
    const sessions = Array.from({ length: 1_000 }, () => watcher.watch());
    for (const session of sessions) session.create("streams");
    for (const session of sessions) await created(session);
    const revision = await writer.put("streams", "v");
    for (const session of sessions) expect(await session.takeEvents(1)).toEqual([`streams=v@${revision}`]);
    for (const session of sessions) session.close();
  },

  "a client that does not read delays nobody, and gets all in order once it reads": async ({
    writer,
    watcher,
  }) => {
    const slow = watcher.watch();
    slow.create("slow/", { rangeEnd: "slow0" });
    await created(slow);
    slow.stopReading();
    const quickClient = new RawClient(watcher.endpoint, watcher.tls);
    const quick = quickClient.watch();
    quick.create("slow/", { rangeEnd: "slow0" });
    await created(quick);
    const value = "x".repeat(64 * 1024);
    const count = 300;
    let first = 0;
    for (let n = 0; n < count; n++) {
      const revision = await writer.put(`slow/${n % 7}`, `${n} ${value}`);
      if (n === 0) first = revision;
      expect(eventTexts(await quick.take())[0]).toContain(`@${revision}`);
    }
    quick.close();
    quickClient.close();
    slow.read();
    const texts = await slow.takeEvents(count);
    expect(texts.map((text) => text.replace(/ x+/, ""))).toEqual(
      Array.from({ length: count }, (_, n) => `slow/${n % 7}=${n}@${first + n}`),
    );
    slow.close();
  },

  "a member without a leader in sight refuses nothing while it has one": async ({ writer, watcher }) => {
    const session = watcher.watch({ hasleader: "true" });
    session.create("hasleader");
    await created(session);
    const revision = await writer.put("hasleader", "v");
    expect(await session.takeEvents(1)).toEqual([`hasleader=v@${revision}`]);
    session.close();
  },
};

describeTargets(Object.keys(cases), (cluster: TargetCluster) => {
  let writer: RawClient;
  let watcher: RawClient;
  beforeAll(() => {
    writer = new RawClient(cluster.endpoints[0]!, cluster.cluster.tls);
    watcher = new RawClient(cluster.endpoints.at(-1)!, cluster.cluster.tls);
  });
  afterAll(() => {
    writer.close();
    watcher.close();
  });
  for (const [title, run] of Object.entries(cases)) {
    test(title, () =>
      run({
        writer,
        watcher,
        atLeast: (major, minor) => isAtLeast(cluster.target.binary.version, major, minor),
      }),
    );
  }
});
