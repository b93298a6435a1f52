/** Leases end to end: real members, real clocks. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningCluster, type RunningMember, startCluster, startMember } from "../support/cluster.js";
import { httpGet } from "../support/http-get.js";
import { ourBinary } from "../support/server-binary.js";
import { inParallel, RawClient, until } from "./raw-client.js";

const binary = ourBinary();
const missing = "missing" in binary ? binary.missing : undefined;
const title = (text: string): string => (missing === undefined ? text : `${text} (skipped: ${missing})`);

/** How late an end may be on a machine that does other work: a tick, a confirmation, an entry, and a lot of patience. */
const latenessMs = 3_000;

function start(count: number): Promise<RunningCluster> {
  if ("missing" in binary) throw new Error(binary.missing);
  return startCluster(binary, count, { extraArgs: [], withTls: false });
}

describe.skipIf(missing !== undefined)(title("one member"), () => {
  let cluster: RunningCluster;
  let client: RawClient;

  beforeAll(async () => {
    cluster = await start(1);
    client = await RawClient.connect(cluster.endpoints[0]!);
  });
  afterAll(async () => {
    client?.close();
    await cluster?.destroy();
  });

  test("a short time is raised to what an election may take, and the server chooses a positive id", async () => {
    const granted = await client.grant(0n, 1);
    expect(granted.TTL).toBe(2n);
    expect(granted.ID).toBeGreaterThan(0n);
    expect((await client.grant(0n, -7)).TTL).toBe(2n);
    await expect(client.grant(0n, 9_000_000_001)).rejects.toMatchObject({
      code: 11,
      message: "etcdserver: too large lease TTL",
    });
    await expect(client.grant(granted.ID, 5)).rejects.toMatchObject({
      code: 9,
      message: "etcdserver: lease already exists",
    });
  });

  test("time to live names the keys; of what is not there it is −1, and a keep-alive answers 0", async () => {
    await client.grant(-77n, 600);
    await client.put("ttl/b", -77n);
    await client.put("ttl/a", -77n);
    const times = await client.timeToLive(-77n);
    expect(times.grantedTTL).toBe(600n);
    expect(times.TTL).toBeGreaterThan(590n);
    expect(times.keys.map(String)).toEqual(["ttl/a", "ttl/b"]);
    expect(await client.leases()).toContain(-77n);
    expect(await client.keepAlive([-77n, 404n, -77n])).toEqual([600n, 0n, 600n]);
    await client.revoke(-77n);
    expect(await client.count("ttl/")).toBe(0);
    expect((await client.timeToLive(-77n)).TTL).toBe(-1n);
    await expect(client.revoke(-77n)).rejects.toMatchObject({
      code: 5,
      message: "etcdserver: requested lease not found",
    });
  });

  test("a lease ends on time while others are kept alive and puts go on", async () => {
    await client.grant(501n, 3);
    await client.grant(502n, 2);
    await client.put("kept", 501n);
    const putMs = performance.now();
    await client.put("let go", 502n);
    let over = false;
    const load = inParallel(20, 20, async (at) => {
      while (!over) await client.put(`load/${at}`);
    });
    const renewals = inParallel(1, 1, async () => {
      while (!over) {
        expect(await client.keepAlive([501n])).toEqual([3n]);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    });
    await until(async () => (await client.count("let go")) === 0, 2_000 + latenessMs);
    const livedMs = performance.now() - putMs;
    // The lease was granted before the put, and ended no sooner than its time after the grant.
    expect(livedMs).toBeLessThan(2_000 + latenessMs);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await client.count("kept")).toBe(1);
    over = true;
    await Promise.all([load, renewals]);
  });

  test("20,000 leases that end in the same second are gone within seconds, and puts go on", async () => {
    const count = 20_000;
    const startedMs = performance.now();
    const lifeSeconds = 20;
    await inParallel(count, 256, async (at) => {
      const elapsedSeconds = Math.round((performance.now() - startedMs) / 1_000);
      const id = BigInt(1_000_000 + at);
      await client.grant(id, Math.max(2, lifeSeconds - elapsedSeconds));
      if (at % 20 === 0) await client.put(`many/${at}`, id);
    });
    const granted = (await client.leases()).length;
    const endMs = Math.max(0, startedMs + lifeSeconds * 1_000 - performance.now());
    let puts = 0;
    let over = false;
    const load = inParallel(4, 4, async (at) => {
      while (!over) {
        await client.put(`load/${at}`);
        puts++;
      }
    });
    await new Promise((resolve) => setTimeout(resolve, endMs));
    const before = puts;
    const tookMs = await until(async () => (await client.leases()).length < granted - count * 0.999, 20_000);
    const after = puts;
    over = true;
    await load;
    await until(async () => (await client.count("many/")) === 0, 10_000);
    expect(after).toBeGreaterThan(before);
    expect(tookMs).toBeLessThan(15_000);
    const metrics = (await httpGet(cluster.members[0]!.url("/metrics"), 5_000)).body;
    const expired = Number(/^etcd_debugging_server_lease_expired_total (\d+)$/m.exec(metrics)?.[1]);
    expect(expired).toBeGreaterThanOrEqual(count);
  }, 180_000);
});

describe.skipIf(missing !== undefined)(title("three members"), () => {
  let cluster: RunningCluster;
  let clients: RawClient[];

  beforeAll(async () => {
    cluster = await start(3);
    clients = await Promise.all(cluster.endpoints.map((endpoint) => RawClient.connect(endpoint)));
  });
  afterAll(async () => {
    for (const client of clients ?? []) client.close();
    await cluster?.destroy();
  });

  async function leaderAt(among: readonly RawClient[]): Promise<number> {
    for (const client of among) {
      const { header, leader } = await client.status();
      if (header?.memberId === leader) return clients.indexOf(client);
    }
    return -1;
  }

  test("every member grants, keeps alive, tells and revokes", async () => {
    for (const [at, client] of clients.entries()) {
      const id = BigInt(10 + at);
      await client.grant(id, 60);
      await client.put(`by ${at}`, id);
      for (const other of clients) {
        expect(await other.keepAlive([id])).toEqual([60n]);
        const times = await other.timeToLive(id);
        expect(times.keys.map(String)).toEqual([`by ${at}`]);
        expect(times.TTL).toBeGreaterThan(55n);
        expect(times.header?.memberId).toBe((await other.status()).header?.memberId);
        expect(await other.keepAlive([404n])).toEqual([0n]);
        expect((await other.timeToLive(404n)).TTL).toBe(-1n);
      }
      await clients[(at + 1) % 3]!.revoke(id);
      expect(await client.count(`by ${at}`)).toBe(0);
    }
  });

  test("many keep-alives at a follower reach the leader, in order", async () => {
    const follower = clients[((await leaderAt(clients)) + 1) % 3]!;
    const ids = Array.from({ length: 300 }, (_, at) => BigInt(2_000 + at));
    await inParallel(ids.length, 50, (at) => follower.grant(ids[at]!, 100 + at));
    const answers = await follower.keepAlive(ids);
    expect(answers).toEqual(ids.map((_, at) => BigInt(100 + at)));
    await inParallel(ids.length, 50, (at) => follower.revoke(ids[at]!));
  });

  test("a killed leader takes no lease with it and gives none its whole time again", async () => {
    const killed = await leaderAt(clients);
    const survivors = clients.filter((_, at) => at !== killed);
    await clients[killed]!.grant(90n, 20);
    await clients[killed]!.put("k", 90n);
    const startedMs = performance.now();
    // Past the first checkpoints.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await cluster.members[killed]!.process.kill();
    await until(async () => (await leaderAt(survivors)) >= 0, 20_000);
    const { TTL, keys } = await survivors[0]!.timeToLive(90n);
    const leftSeconds = 20 - (performance.now() - startedMs) / 1_000;
    expect(keys.map(String)).toEqual(["k"]);
    expect(Number(TTL)).toBeGreaterThanOrEqual(Math.floor(leftSeconds));
    // The first checkpoint was at 4 seconds; an election timeout is granted on top of what was left then.
    expect(Number(TTL)).toBeLessThanOrEqual(18);
    expect(await survivors[1]!.keepAlive([90n])).toEqual([20n]);
    const { plan } = cluster.members[killed]!;
    await restart(cluster.members[killed]!);
    clients[killed]!.close();
    clients[killed] = await RawClient.connect(`127.0.0.1:${plan.clientPort}`);
    expect((await clients[killed]!.timeToLive(90n)).keys.map(String)).toEqual(["k"]);
  }, 90_000);

  async function restart(member: RunningMember): Promise<void> {
    if ("missing" in binary) throw new Error(binary.missing);
    const members = cluster.members.map(({ plan }) => plan);
    const started = startMember(binary, member.plan, { members, extraArgs: [] });
    (cluster.members as RunningMember[])[cluster.members.indexOf(member)] = started;
    await started.healthy();
  }
});
