/** The npm package etcd3 on watches, leases, locks and elections. */
import { once } from "node:events";
import { type Etcd3, EtcdLockFailedError, type IKeyValue, type Watcher } from "etcd3";
import { describe, expect } from "vitest";
import { type Cases, describeCases } from "../targets.js";
import { close, open } from "./client.js";

/** The events of a watcher as text, and waiting for so many of them. */
class Seen {
  readonly events: string[] = [];
  readonly #watcher: Watcher;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
    // Its types say undefined where it gives null.
    const was = (previous: IKeyValue | null | undefined): string =>
      previous ? ` was ${previous.value}` : "";
    watcher.on("put", (pair, previous) => this.events.push(`${pair.key}=${pair.value}${was(previous)}`));
    watcher.on("delete", (pair, previous) => this.events.push(`-${pair.key}${was(previous)}`));
  }

  async wants(...events: string[]): Promise<void> {
    while (this.events.length < events.length) await once(this.#watcher, "data");
    expect(this.events).toEqual(events);
  }
}

const watching: Cases<Etcd3> = {
  "watches a key": async (client) => {
    const watcher = await client.watch().key("watch/a").create();
    const seen = new Seen(watcher);
    await client.put("watch/a").value("1");
    await client.put("watch/ab").value("not this one");
    await client.delete().key("watch/a");
    await seen.wants("watch/a=1", "-watch/a");
    await watcher.cancel();
  },
  "watches a prefix from an old revision, with previous pairs": async (client) => {
    const first = await client.put("watchold/a").value("1");
    await client.put("watchold/a").value("2");
    await client.put("watchold/b").value("3");
    const from = String(Number(first.header.revision) + 1);
    const watcher = await client.watch().prefix("watchold/").withPreviousKV().startRevision(from).create();
    const seen = new Seen(watcher);
    await seen.wants("watchold/a=2 was 1", "watchold/b=3");
    await client.delete().prefix("watchold/");
    await seen.wants("watchold/a=2 was 1", "watchold/b=3", "-watchold/a was 2", "-watchold/b was 3");
    await watcher.cancel();
  },
  "watches puts alone, or deletes alone": async (client) => {
    const puts = await client.watch().prefix("watchonly/").only("put").create();
    const deletes = await client.watch().prefix("watchonly/").only("delete").create();
    const [seenPuts, seenDeletes] = [new Seen(puts), new Seen(deletes)];
    await client.put("watchonly/a").value("1");
    await client.delete().key("watchonly/a");
    await client.put("watchonly/b").value("2");
    await client.delete().key("watchonly/b");
    await seenPuts.wants("watchonly/a=1", "watchonly/b=2");
    await seenDeletes.wants("-watchonly/a", "-watchonly/b");
    await Promise.all([puts.cancel(), deletes.cancel()]);
  },
  "watches in a namespace": async (client) => {
    const space = client.namespace("watchns/");
    const watcher = await space.watch().prefix("").create();
    const seen = new Seen(watcher);
    await client.put("watchns/a").value("1");
    await client.put("elsewhere").value("2");
    await space.delete().key("a");
    await seen.wants("a=1", "-a");
    await watcher.cancel();
  },
  "a cancelled watcher leaves the others alone": async (client) => {
    const [one, other] = await Promise.all([
      client.watch().key("watchtwo/a").create(),
      client.watch().key("watchtwo/a").create(),
    ]);
    const seen = new Seen(other);
    await one.cancel();
    await client.put("watchtwo/a").value("1");
    await seen.wants("watchtwo/a=1");
    await other.cancel();
  },
};

const leasing: Cases<Etcd3> = {
  "a lease holds keys until it is revoked": async (client) => {
    const lease = client.lease(600);
    await lease.put("lease/a").value("1");
    await lease.put("lease/b").value("2");
    const id = await lease.grant();
    const left = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
    expect(left.keys.map(String).sort()).toEqual(["lease/a", "lease/b"]);
    expect(Number(left.grantedTTL)).toBe(600);
    expect((await lease.keepaliveOnce()).TTL).toBe("600");
    await lease.revoke();
    expect(await client.getAll().prefix("lease/").count()).toBe(0);
  },
  "a lease that was revoked elsewhere is told as lost": async (client) => {
    const lease = client.lease(2);
    const id = await lease.grant();
    const lost = once(lease, "lost");
    await client.leaseClient.leaseRevoke({ ID: id });
    await lost;
    expect(lease.revoked()).toBe(true);
  },
  "a released lease ends, and its keys with it": async (client) => {
    const lease = client.lease(2);
    await lease.put("leaseend/a").value("1");
    const watcher = await client.watch().key("leaseend/a").only("delete").create();
    const seen = new Seen(watcher);
    lease.release();
    await seen.wants("-leaseend/a");
    await watcher.cancel();
  },
};

const locking: Cases<Etcd3> = {
  "a lock is held by one": async (client) => {
    const lock = client.lock("lock/a");
    await lock.acquire();
    await expect(client.lock("lock/a").acquire()).rejects.toThrow(EtcdLockFailedError);
    await lock.release();
    const value = await client.lock("lock/a").do(async () => {
      await expect(client.lock("lock/a").acquire()).rejects.toThrow(EtcdLockFailedError);
      return "held";
    });
    expect(value).toBe("held");
    expect(await client.getAll().prefix("lock/").count()).toBe(0);
  },
  "an election goes from the first to the next": async (client) => {
    const election = client.election("npm");
    expect(await election.leader()).toBeUndefined();
    const first = await election.campaign("first").wait();
    const observer = await election.observe();
    const changes: (string | undefined)[] = [];
    observer.on("change", (value) => changes.push(value));
    expect([observer.leader(), await election.leader()]).toEqual(["first", "first"]);
    await first.proclaim("first again");
    const second = election.campaign("second");
    const elected = once(second, "elected");
    await second.getCampaignKey();
    while (!changes.includes("first again")) await once(observer, "change");
    await first.resign();
    await elected;
    while (observer.leader() !== "second") await once(observer, "change");
    expect(await election.leader()).toBe("second");
    await second.resign();
    await observer.cancel();
  },
};

describe("npm etcd3 on watches, leases and locks", () => {
  describeCases({ ...watching, ...leasing, ...locking }, open, close);
});
