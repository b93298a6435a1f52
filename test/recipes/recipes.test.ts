/** Locks and elections against a real etcd, and beside etcdctl, whose locks and elections are Go's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connect, del, GrpcCode, put, type QuorateClient } from "../../src/client/index.js";
import { Election, type Leader, Mutex, openSession, type Session } from "../../src/recipes/index.js";
import { startProxy } from "../client/breaking-proxy.js";
import {
  etcdctlEnvironment,
  etcdctlProgram,
  etcdctlVersion,
  etcdVersion,
  type RealEtcd,
  startEtcd,
} from "../client/real-etcd.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const reason = etcdVersion === undefined ? " (skipped: no etcd here)" : "";
const noEtcdctl = etcdctlVersion === undefined;
const interop = noEtcdctl ? " (skipped: no etcdctl here)" : "";

describe.skipIf(etcdVersion === undefined)(`recipes${reason}`, () => {
  let etcd: RealEtcd;
  let client: QuorateClient;
  let name: string;
  let count = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
    client = connect({ endpoints: [etcd.endpoint] });
  });
  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });
  beforeEach(() => {
    name = `recipe${count++}`;
  });

  const keysOf = async (): Promise<string[]> =>
    (await client.kv.get(`${name}/`, { prefix: true, sortBy: "create" })).kvs.map((kv) => text(kv.key));
  const keyOf = (session: Session): string => `${name}/${session.lease.toString(16)}`;

  /** Resolves when so many stand in the line. */
  async function untilQueued(wanted: number): Promise<void> {
    await using watcher = client.watch(`${name}/`, { prefix: true });
    await watcher.ready();
    if ((await keysOf()).length >= wanted) return;
    for await (const _ of watcher) if ((await keysOf()).length >= wanted) return;
  }

  describe("a lock", () => {
    test("goes to one session at a time, in the order of asking, with rising fencing revisions", async () => {
      const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession(client)));
      const revisions: bigint[] = [];
      const order: number[] = [];
      let holders = 0;
      const work = async (index: number): Promise<void> => {
        await using held = await new Mutex(sessions[index]!, name).lock();
        expect(++holders).toBe(1);
        order.push(index);
        revisions.push(held.fencingRevision);
        const { succeeded } = await client
          .txn()
          .if(held.isOwner())
          .then(put(`${name}-guarded`, "v"))
          .commit();
        expect(succeeded).toBe(true);
        holders--;
      };
      await Promise.all(sessions.map((_, index) => work(index)));
      expect([...order].sort()).toEqual([0, 1, 2, 3]);
      expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(revisions).size).toBe(4);
      expect(await keysOf()).toEqual([]);
      await Promise.all(sessions.map((session) => session.close()));
    });

    test("has the key that Go's has, attached to the lease", async () => {
      await using session = await openSession(client);
      await using held = await new Mutex(session, name).lock();
      expect(text(held.key)).toBe(keyOf(session));
      const { kvs } = await client.kv.get(held.key);
      expect([kvs[0]!.lease, kvs[0]!.createRevision, kvs[0]!.value.length]).toEqual([
        session.lease,
        held.fencingRevision,
        0,
      ]);
    });

    test("is had or not, without waiting", async () => {
      await using first = await openSession(client);
      await using second = await openSession(client);
      const held = await new Mutex(first, name).tryLock();
      expect(await new Mutex(second, name).tryLock()).toBeUndefined();
      expect(await keysOf()).toEqual([keyOf(first)]);
      await held!.unlock();
      await held!.unlock();
      expect(await new Mutex(second, name).tryLock()).toBeDefined();
    });

    test("locked again by its session is the same lock", async () => {
      await using session = await openSession(client);
      const mutex = new Mutex(session, name);
      const [once_, again] = [await mutex.lock(), await mutex.lock()];
      expect(again.fencingRevision).toBe(once_.fencingRevision);
    });

    test("that is given up while waiting leaves no key, and wakes nobody before the time", async () => {
      await using first = await openSession(client);
      await using second = await openSession(client);
      await using third = await openSession(client);
      const held = await new Mutex(first, name).lock();
      const controller = new AbortController();
      const waiting = new Mutex(second, name).lock({ signal: controller.signal });
      await untilQueued(2);
      let thirdHas = false;
      const last = new Mutex(third, name).lock().then(() => {
        thirdHas = true;
      });
      await untilQueued(3);
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: GrpcCode.Canceled });
      expect([await keysOf(), thirdHas]).toEqual([[keyOf(first), keyOf(third)], false]);
      await held.unlock();
      await last;
    });

    test("goes on when its holder's session ends, and the holder is told", async () => {
      const first = await openSession(client, { ttlSeconds: 2 });
      await using second = await openSession(client);
      const held = await new Mutex(first, name).lock();
      const waiting = new Mutex(second, name).lock();
      await untilQueued(2);
      const told = new Promise((resolve) => held.lost.addEventListener("abort", resolve));
      await client.leases.revoke(first.lease);
      await waiting;
      const { succeeded } = await client.txn().if(held.isOwner()).then(del("never")).commit();
      expect(succeeded).toBe(false);
      await told;
    });

    test("ends for a waiter whose own session is lost", async () => {
      await using first = await openSession(client);
      const second = await openSession(client, { ttlSeconds: 2 });
      await new Mutex(first, name).lock();
      const waiting = new Mutex(second, name).lock();
      await untilQueued(2);
      const refused = expect(waiting).rejects.toMatchObject({ name: "RecipeError", reason: "session-lost" });
      await client.leases.revoke(second.lease);
      await refused;
      await expect(new Mutex(second, name).lock()).rejects.toMatchObject({ reason: "session-lost" });
    });

    test("is waited for through connections that break", async () => {
      const proxy = await startProxy(etcd.endpoint);
      const shaken = connect({ endpoints: [proxy.endpoint] });
      try {
        await using first = await openSession(client);
        const held = await new Mutex(first, name).lock();
        const second = await openSession(shaken);
        const waiting = new Mutex(second, name).lock();
        await untilQueued(2);
        for (let cuts = 0; cuts < 5; cuts++) {
          proxy.cut();
          await client.kv.put(`${name}-other`, String(cuts));
        }
        await held.unlock();
        expect(text((await waiting).key)).toBe(keyOf(second));
      } finally {
        await shaken.close();
        proxy.stop();
      }
    });

    test.skipIf(noEtcdctl)(`excludes Go's, both ways${interop}`, async () => {
      await using session = await openSession(client);
      const held = await new Mutex(session, name).lock();
      const theirs = spawn(etcdctlProgram, [`--endpoints=${etcd.endpoint}`, "lock", name], {
        env: etcdctlEnvironment,
      });
      const printed = once(theirs.stdout, "data");
      await untilQueued(2);
      expect(theirs.stdout.readableLength).toBe(0);
      await held.unlock();
      const [key] = (await printed) as [Buffer];
      const waiting = new Mutex(session, name).lock();
      await untilQueued(2);
      expect((await keysOf())[0]).toBe(key.toString().trim());
      theirs.kill("SIGINT");
      await waiting;
      if (theirs.exitCode === null) await once(theirs, "exit");
    });
  });

  describe("an election", () => {
    test("has one leader; the next one leads when it resigns, and observers see each and each value", async () => {
      await using first = await openSession(client);
      await using second = await openSession(client);
      const election = new Election(client, name);
      await expect(election.leader()).rejects.toMatchObject({ name: "RecipeError", reason: "no-leader" });
      const seen: string[] = [];
      const observing = (async () => {
        for await (const { kv } of election.observe()) {
          seen.push(text(kv.value));
          if (seen.length === 3) return;
        }
      })();
      const led = await election.campaign(first, "a");
      const next = election.campaign(second, "c");
      await untilQueued(2);
      expect(text((await election.leader()).kv.key)).toBe(keyOf(first));
      await led.proclaim("b");
      await led.resign();
      const after = await next;
      expect(after.fencingRevision > led.fencingRevision).toBe(true);
      await observing;
      // A new observer is told of the present only.
      expect(seen.at(-1)).toBe("c");
      expect(seen).toEqual(["a", "b", "c"]);
      await expect(led.proclaim("too late")).rejects.toMatchObject({ reason: "not-leader" });
      const { succeeded } = await client.txn().if(led.isLeader()).then(del("never")).commit();
      expect(succeeded).toBe(false);
    });

    test("a campaign repeated by its session changes the value, not the place", async () => {
      await using session = await openSession(client);
      const election = new Election(client, name);
      const led = await election.campaign(session, "a");
      const again = await election.campaign(session, "b");
      expect(again.fencingRevision).toBe(led.fencingRevision);
      expect(text((await election.leader()).kv.value)).toBe("b");
    });

    test("a campaign that is given up leaves no key", async () => {
      await using first = await openSession(client);
      await using second = await openSession(client);
      const election = new Election(client, name);
      await election.campaign(first, "a");
      const controller = new AbortController();
      const waiting = election.campaign(second, "b", { signal: controller.signal });
      await untilQueued(2);
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: GrpcCode.Canceled });
      expect(await keysOf()).toEqual([keyOf(first)]);
    });

    test("an observer that stops, stops", async () => {
      const controller = new AbortController();
      const leaders = new Election(client, name).observe({ signal: controller.signal });
      const next: Promise<IteratorResult<Leader>> = leaders.next();
      controller.abort();
      await expect(next).rejects.toMatchObject({ code: GrpcCode.Canceled });
    });

    test.skipIf(noEtcdctl)(`takes turns with Go's${interop}`, async () => {
      await using session = await openSession(client);
      const election = new Election(client, name);
      const led = await election.campaign(session, "ours");
      const theirs = spawn(etcdctlProgram, [`--endpoints=${etcd.endpoint}`, "elect", name, "theirs"], {
        env: etcdctlEnvironment,
      });
      const printed = once(theirs.stdout, "data");
      await untilQueued(2);
      await led.resign();
      await printed;
      expect(text((await election.leader()).kv.value)).toBe("theirs");
      const waiting = election.campaign(session, "ours again");
      await untilQueued(2);
      theirs.kill("SIGINT");
      await waiting;
      if (theirs.exitCode === null) await once(theirs, "exit");
    });
  });
});
