import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, GrpcCode, type QuorateClient, type WatchEvent } from "../../src/client/index.js";
import { startProxy } from "./breaking-proxy.js";
import { etcdVersion, type RealEtcd, startEtcd } from "./real-etcd.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const reason = etcdVersion === undefined ? " (skipped: no etcd here)" : "";

describe.skipIf(etcdVersion === undefined)(`watches and leases against a real etcd${reason}`, () => {
  let etcd: RealEtcd;
  let client: QuorateClient;

  beforeAll(async () => {
    etcd = await startEtcd(["--experimental-watch-progress-notify-interval=1s"]).catch(() =>
      startEtcd(["--watch-progress-notify-interval=1s"]),
    );
    client = connect({ endpoints: [etcd.endpoint] });
  });
  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  const shown = ({ type, kv, prevKv }: WatchEvent): string =>
    `${type} ${text(kv.key)}=${text(kv.value)}${prevKv === undefined ? "" : ` was ${text(prevKv.value)}`}`;

  test("changes of a prefix as they happen, with what was before, one batch a transaction", async () => {
    await using watcher = client.watch("w/", { prefix: true, prevKv: true });
    const first = await watcher.ready();
    await client.kv.put("w/a", "1");
    await client.kv.put("w/a", "2");
    await client.kv.put("other", "x");
    await client.kv.delete("w/a");
    const seen: string[] = [];
    for await (const { events, header } of watcher) {
      expect(header.revision >= first).toBe(true);
      seen.push(...events.map(shown));
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(["put w/a=1", "put w/a=2 was 1", "delete w/a= was 2"]);
  });

  test("history from a revision on, without one type of event", async () => {
    const { header } = await client.kv.put("h", "1");
    await client.kv.delete("h");
    await client.kv.put("h", "2");
    const read = async (without: "put" | "delete", count: number): Promise<string[]> => {
      const seen: string[] = [];
      const watcher = client.watch("h", { startRevision: header!.revision, without });
      for await (const { events } of watcher) {
        seen.push(...events.map(shown));
        if (seen.length >= count) break;
      }
      return seen;
    };
    expect([await read("put", 1), await read("delete", 2)]).toEqual([["delete h="], ["put h=1", "put h=2"]]);
  });

  test("a thousand watches on one stream, each with its own key", async () => {
    const watchers = Array.from({ length: 1_000 }, (_, n) => client.watch(`many/${n}`));
    await Promise.all(watchers.map((watcher) => watcher.ready()));
    await Promise.all(watchers.map((_, n) => client.kv.put(`many/${n}`, String(n))));
    const first = async (n: number): Promise<string> => {
      for await (const { events } of watchers[n]!) return text(events[0]!.kv.value);
      return "";
    };
    const values = await Promise.all(watchers.map((_, n) => first(n)));
    expect(values).toEqual(watchers.map((_, n) => String(n)));
  });

  test("what is compacted away cannot be watched, and the error says from where on it could be", async () => {
    const { header } = await client.kv.put("c", "1");
    await client.kv.put("c", "2");
    await client.kv.compact(header!.revision + 1n);
    const watcher = client.watch("c", { startRevision: header!.revision });
    await expect(watcher[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: GrpcCode.OutOfRange,
      compactRevision: header!.revision + 1n,
    });
  });

  test("progress comes by itself and on request", async () => {
    const notified = client.watch("quiet", { progressNotify: true });
    for await (const { events } of notified) {
      expect(events).toEqual([]);
      break;
    }
    const asked = client.watch("quiet too");
    await asked.ready();
    client.watches.requestProgress();
    for await (const { events } of asked) {
      expect(events).toEqual([]);
      break;
    }
  });

  test("connections that break all the time lose no event and repeat none", async () => {
    const proxy = await startProxy(etcd.endpoint);
    const shaken = connect({ endpoints: [proxy.endpoint] });
    try {
      const watchers = ["cut/", "cut/1"].map((key) => shaken.watch(key, { prefix: true }));
      await Promise.all(watchers.map((watcher) => watcher.ready()));
      const total = 300;
      const read = async (index: number, last: string): Promise<string[]> => {
        const keys: string[] = [];
        for await (const { events } of watchers[index]!) {
          keys.push(...events.map(({ kv }) => text(kv.key)));
          if (keys.at(-1) === last) break;
        }
        return keys;
      };
      const reads = [read(0, `cut/${total - 1}`), read(1, "cut/199")];
      const keys = Array.from({ length: total }, (_, n) => `cut/${n}`);
      for (const [n, key] of keys.entries()) {
        await client.kv.put(key, "v".repeat(n * 10));
        if (n % 10 === 0) proxy.cut();
      }
      const [all, some] = await Promise.all(reads);
      expect(all).toEqual(keys);
      expect(some).toEqual(keys.filter((key) => /^cut\/1/.test(key)));
    } finally {
      await shaken.close();
      proxy.stop();
    }
  }, 60_000);

  test("a lease: keys attached, time left, renewed once, listed, revoked", async () => {
    const { ID, TTL } = await client.leases.grant(50);
    expect(TTL).toBe(50n);
    await client.kv.put("leased", "v", { lease: ID });
    const told = await client.leases.timeToLive(ID, { keys: true });
    expect([told.grantedTTL, told.keys.map(text)]).toEqual([50n, ["leased"]]);
    expect((await client.leases.keepAliveOnce(ID)).TTL).toBe(50n);
    expect((await client.leases.list()).leases).toContainEqual({ ID });
    await client.leases.revoke(ID);
    expect((await client.kv.get("leased")).count).toBe(0n);
    expect((await client.leases.timeToLive(ID)).TTL).toBe(-1n);
    await expect(client.leases.keepAliveOnce(ID)).rejects.toMatchObject({ code: GrpcCode.NotFound });
    await expect(client.leases.revoke(ID)).rejects.toMatchObject({ code: GrpcCode.NotFound });
  });

  test("a kept lease outlives its TTL, and tells when it is lost", async () => {
    let renewals = 0;
    const three = new Promise<void>((resolve) => {
      const onRenewed = (): void => {
        if (++renewals === 7) resolve();
      };
      void client.leases.keep(1, { onRenewed }).then((lease) => leases.push(lease));
    });
    const leases: Awaited<ReturnType<typeof client.leases.keep>>[] = [];
    await three;
    const [lease] = leases;
    // Seven renewals at a third of the TTL each: twice its time.
    expect(lease!.lost.aborted).toBe(false);
    const lost = new Promise((resolve) => lease!.lost.addEventListener("abort", resolve));
    await client.leases.revoke(lease!.id);
    await lost;
    expect(lease!.lost.reason).toMatchObject({ name: "QuorateClientError", leaseId: lease!.id });
  });

  test("`await using` revokes a kept lease", async () => {
    let id: bigint;
    {
      await using lease = await client.leases.keep(60);
      id = lease.id;
    }
    expect((await client.leases.timeToLive(id)).TTL).toBe(-1n);
  });

  test("the lock and election services of the server", async () => {
    await using first = await client.leases.keep(60);
    await using second = await client.leases.keep(60);
    const { key } = await client.lockService.lock("svc", first.id);
    const waiting = client.lockService.lock("svc", second.id);
    await client.lockService.unlock(key);
    expect(text((await waiting).key)).toBe(`svc/${second.id.toString(16)}`);

    const observed = client.electionService.observe("vote")[Symbol.asyncIterator]();
    const { leader } = await client.electionService.campaign("vote", first.id, "a");
    expect(text((await observed.next()).value.kv.value)).toBe("a");
    await client.electionService.proclaim(leader!, "b");
    expect(text((await observed.next()).value.kv.value)).toBe("b");
    expect(text((await client.electionService.leader("vote")).kv!.value)).toBe("b");
    await observed.return?.();
    await client.electionService.resign(leader!);
    await expect(client.electionService.leader("vote")).rejects.toThrow("election: no leader");
  });

  test("closing the client ends its watches and waiting calls", async () => {
    const own = connect({ endpoints: [etcd.endpoint] });
    const watcher = own.watch("k");
    await watcher.ready();
    const reading = watcher[Symbol.asyncIterator]().next();
    const observing = own.electionService.observe("nobody")[Symbol.asyncIterator]().next();
    const ended = expect(reading).rejects.toMatchObject({
      code: GrpcCode.Canceled,
      message: "the client is closed",
    });
    const endedToo = expect(observing).rejects.toMatchObject({ name: "QuorateClientError" });
    await own.close();
    await ended;
    await endedToo;
  });
});
