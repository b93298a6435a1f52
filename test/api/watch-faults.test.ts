/** Watches while members are killed, paused, left behind and restored: what a cache hangs on in a bad night. */
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { checkWatches, type RecordedWatch } from "../../cluster-test/watch-checker.js";
import { limits } from "../../src/base/limits.js";
import { type RunningCluster, type RunningMember, startCluster } from "../support/cluster.js";
import { httpGet } from "../support/http-get.js";
import { requireOurBinary } from "../support/server-binary.js";
import { facts, RawClient, recordedAnswer, type WatchSession } from "./watch-session.js";

const caseTimeoutMs = 60_000;
/** More than the messages that are on the way to a member which stands still: the others are cut from the log. */
const missedPuts = limits.inflightMessagesMax + 150;

let cluster: RunningCluster | undefined;
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await cluster?.destroy();
  cluster = undefined;
});

async function start(count: number, extraArgs: readonly string[]): Promise<readonly RunningMember[]> {
  const binary = requireOurBinary();
  cluster = await startCluster(binary, count, { extraArgs, withTls: false });
  return cluster.members;
}

function clientOf(member: RunningMember): RawClient {
  const client = new RawClient(member.endpoint);
  clients.push(client);
  return client;
}

async function isLeader(member: RunningMember): Promise<boolean> {
  const { body } = await httpGet(member.url("/metrics"), 5_000);
  return /^etcd_server_is_leader 1$/m.test(body);
}

async function leaderOf(members: readonly RunningMember[]): Promise<RunningMember> {
  for (;;) for (const member of members) if (await isLeader(member)) return member;
}

/** Opens a watch of every key of the test and gives what it is told, until a put of "end". */
async function watchAll(client: RawClient, startRevision = 0): Promise<() => Promise<RecordedWatch>> {
  const session = client.watch();
  session.create("k", { rangeEnd: "l", startRevision: BigInt(startRevision), prevKv: true });
  const first = recordedAnswer(await session.take());
  return async () => {
    const answers = [first];
    while (!answers.at(-1)!.events.some(({ pair }) => pair.value === "end")) {
      answers.push(recordedAnswer(await session.take()));
    }
    session.close();
    const completeTo = answers.at(-1)!.revision;
    const name = `watch at ${client.endpoint}`;
    return {
      name,
      key: "k",
      rangeEnd: "l",
      startRevision,
      prevKv: true,
      noPut: false,
      noDelete: false,
      answers,
      completeTo,
    };
  };
}

/** Every watch was told the same as one that read all of it afterwards, at another member. */
async function expectComplete(watches: readonly RecordedWatch[], reader: RawClient): Promise<void> {
  const history = await (await watchAll(reader, 1))();
  const events = history.answers.flatMap((answer) => answer.events);
  expect(events.length).toBeGreaterThan(50);
  expect(checkWatches([...watches, history], { events, compactedRevision: 0 })).toEqual([]);
}

/** A put that is tried until a member has acknowledged it. */
async function putSurely(client: RawClient, key: string, value: string): Promise<void> {
  for (;;) {
    try {
      await client.put(key, value);
      return;
    } catch {
      // Whether it was applied is unknown: a second time changes nothing for what watches promise.
    }
  }
}

describe("watches", () => {
  test(
    "go on through the death of the leader, without a gap",
    async () => {
      const members = await start(3, ["--election-timeout", "500", "--heartbeat-interval", "50"]);
      const leader = await leaderOf(members);
      const [one, other] = members.filter((member) => member !== leader).map(clientOf);
      const watches = [await watchAll(one!), await watchAll(other!)];
      for (let n = 0; n < 100; n++) {
        if (n === 50) await leader.process.kill();
        await putSurely(n % 2 === 0 ? one! : other!, `k${n % 5}`, `${n}`);
      }
      await putSurely(one!, "k", "end");
      const told = [await watches[0]!(), await watches[1]!()];
      await expectComplete(told, other!);
    },
    caseTimeoutMs,
  );

  test(
    "at a follower that is restored from a snapshot get what it missed, or are told it is compacted",
    async () => {
      const members = await start(3, ["--snapshot-count", "20", "--snapshot-catchup-entries", "5"]);
      const leader = await leaderOf(members);
      const follower = members.find((member) => member !== leader)!;
      const writer = clientOf(leader);
      const watcher = clientOf(follower);
      await writer.put("k", "0");
      await watcher.revision();
      const told = await watchAll(watcher);
      const compacted = watcher.watch();
      const future = watcher.watch();
      future.create("k", { rangeEnd: "l", startRevision: 10_000n });
      await future.take();
      follower.process.signal("SIGSTOP");
      for (let n = 1; n < missedPuts; n++) await writer.put(`k${n % 5}`, `${n}`);
      follower.process.signal("SIGCONT");
      await follower.process.stderr.waitFor("a snapshot", (line) => line.includes('"applied snapshot"'));
      await writer.put("k", "end");
      await expectComplete([await told()], writer);
      // The next time the past goes before the follower has seen it.
      compacted.create("k", { rangeEnd: "l" });
      await compacted.take();
      follower.process.signal("SIGSTOP");
      let last = 0;
      for (let n = 0; n < missedPuts; n++) last = await writer.put(`k${n % 5}`, `${n}`);
      await writer.compact(last);
      follower.process.signal("SIGCONT");
      const ended = await takeCanceled(compacted);
      expect(facts(ended)).toMatchObject({ watchId: 0n, compactRevision: BigInt(last) });
      expect(future.untaken).toEqual([]);
    },
    caseTimeoutMs,
  );

  test(
    "that want a leader end when there is none, the others stay",
    async () => {
      const members = await start(3, ["--election-timeout", "500", "--heartbeat-interval", "50"]);
      const [survivor, ...dead] = members;
      const client = clientOf(survivor!);
      const wanting = client.watch({ hasleader: "true" });
      const content = client.watch();
      for (const session of [wanting, content]) {
        session.create("k");
        await session.take();
      }
      await Promise.all(dead.map((member) => member.process.kill()));
      const { code, details } = await wanting.ended;
      expect([code, details]).toEqual([grpc.status.UNAVAILABLE, "etcdserver: no leader"]);
      content.create("k");
      expect((await content.take()).created).toBe(true);
      const refused = await client.watch({ hasleader: "true" }).ended;
      expect([refused.code, refused.details]).toEqual([grpc.status.UNAVAILABLE, "etcdserver: no leader"]);
    },
    caseTimeoutMs,
  );

  test(
    "that ask for it are told of progress by time while nothing happens to their keys",
    async () => {
      const [member] = await start(1, ["--watch-progress-notify-interval", "300ms"]);
      const client = clientOf(member!);
      const session = client.watch();
      session.create("idle", { progressNotify: true });
      session.create("idle");
      await session.takeMany(2);
      const revision = await client.put("other", "v");
      const notices = await session.takeMany(3);
      expect(notices.map((answer) => [answer.watchId, answer.events.length])).toEqual([
        [0n, 0],
        [0n, 0],
        [0n, 0],
      ]);
      expect(notices.at(-1)!.header!.revision).toBe(BigInt(revision));
      await client.put("idle", "v");
      const events: string[] = [];
      while (events.length < 2)
        for (const { kv } of (await session.take()).events) events.push(`${kv!.modRevision}`);
      expect(events).toEqual([`${revision + 1}`, `${revision + 1}`]);
      const { body } = await httpGet(member!.url("/metrics"), 5_000);
      const metric = (name: string) => new RegExp(`^etcd_debugging_mvcc_${name} (.*)$`, "m").exec(body)?.[1];
      expect(
        ["watcher_total", "watch_stream_total", "slow_watcher_total", "events_total"].map(metric),
      ).toEqual(["2", "1", "0", "2"]);
    },
    caseTimeoutMs,
  );
});

async function takeCanceled(session: WatchSession) {
  for (;;) {
    const answer = await session.take();
    if (answer.canceled) return answer;
  }
}
