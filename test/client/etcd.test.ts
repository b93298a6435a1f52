import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, connect, del, GrpcCode, get, put, type QuorateClient } from "../../src/client/index.js";
import { isAtLeast } from "../support/server-binary.js";
import { etcdVersion, type RealEtcd, startEtcd } from "./real-etcd.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const reason = etcdVersion === undefined ? " (skipped: no etcd here)" : "";

describe.skipIf(etcdVersion === undefined)(`against a real etcd${reason}`, () => {
  let etcd: RealEtcd;
  let client: QuorateClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    client = connect({ endpoints: [etcd.endpoint] });
  });
  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  test("put, get and delete carry any bytes, and prevKv tells what was there", async () => {
    const value = Uint8Array.of(0, 0xff, 0x0a, 0x80);
    await client.kv.put("bin", value);
    const { prevKv } = await client.kv.put("bin", "later", { prevKv: true });
    expect([...prevKv!.value]).toEqual([...value]);
    const { kvs, count } = await client.kv.get("bin");
    expect([kvs.length, count, text(kvs[0]!.value), kvs[0]!.version]).toEqual([1, 1n, "later", 2n]);
    const { deleted, prevKvs } = await client.kv.delete("bin", { prevKv: true });
    expect([deleted, text(prevKvs[0]!.value)]).toEqual([1n, "later"]);
  });

  test("ranges: prefix, fromKey, limit, sorting, old revisions and filters", async () => {
    for (const key of ["r/b", "r/a", "r/c", "s"]) await client.kv.put(key, key.at(-1)!);
    const keys = async (options: Parameters<typeof client.kv.get>[1]): Promise<string> =>
      (await client.kv.get("r/", options)).kvs.map((kv) => text(kv.key)).join(" ");
    expect(await keys({ prefix: true })).toBe("r/a r/b r/c");
    expect(await keys({ prefix: true, sortBy: "mod", order: "descend" })).toBe("r/c r/a r/b");
    expect(await keys({ fromKey: true })).toBe("r/a r/b r/c s");
    expect(await keys({ rangeEnd: "r/c" })).toBe("r/a r/b");
    const limited = await client.kv.get("r/", { prefix: true, limit: 2, keysOnly: true });
    expect([limited.more, limited.count, limited.kvs[0]!.value.length]).toEqual([true, 3n, 0]);
    const revision = (await client.kv.get("r/b")).kvs[0]!.modRevision;
    expect(await keys({ prefix: true, revision })).toBe("r/b");
    expect(await keys({ prefix: true, minModRevision: revision + 1n })).toBe("r/a r/c");
    expect((await client.kv.get("r/", { prefix: true, countOnly: true })).count).toBe(3n);
  });

  test("a transaction takes the branch that its conditions name, also for the empty value", async () => {
    await client.kv.put("t", "");
    const run = (expected: string) =>
      client
        .txn()
        .if(compare("t", "value", "=", expected), compare("t", "version", ">", 0))
        .then(put("t/then", "1"), get("t"))
        .else(del("t/then"))
        .commit();
    expect((await run("")).succeeded).toBe(true);
    await client.kv.put("t", "no longer empty");
    const second = await run("");
    expect(second.succeeded).toBe(false);
    expect(second.responses[0]!.response).toMatchObject({
      $case: "responseDeleteRange",
      value: { deleted: 1n },
    });
  });

  test("a lock taken by create revision goes to one of two transactions", async () => {
    const take = (owner: string) =>
      client
        .txn()
        .if(compare("lock", "create", "=", 0))
        .then(put("lock", owner))
        .commit();
    const taken = await Promise.all([take("a"), take("b")]);
    expect(taken.map((answer) => answer.succeeded).sort()).toEqual([false, true]);
  });

  test("compaction forgets, and reading below it is the error that says so", async () => {
    const { header } = await client.kv.put("c", "1");
    await client.kv.put("c", "2");
    await client.kv.compact(header!.revision + 1n, { physical: true });
    await expect(client.kv.get("c", { revision: header!.revision })).rejects.toMatchObject({
      code: GrpcCode.OutOfRange,
      message: "etcdserver: mvcc: required revision has been compacted",
    });
  });

  test("the cluster lists its member, which says that it leads", async () => {
    const { members } = await client.cluster.memberList();
    const status = await client.maintenance.status({ endpoint: etcd.endpoint });
    expect(members.map((member) => member.ID)).toEqual([status.leader]);
    expect(status.version).toBe(etcdVersion);
    const { hash } = await client.maintenance.hashKv();
    expect((await client.maintenance.hashKv()).hash).toBe(hash);
    expect((await client.maintenance.alarmList()).alarms).toEqual([]);
    expect((await client.maintenance.alarmDisarm()).alarms).toEqual([]);
    await client.maintenance.defragment();
  });

  test("leadership cannot be handed to a member that there is not", async () => {
    await expect(client.maintenance.moveLeader(1n)).rejects.toMatchObject({
      code: GrpcCode.FailedPrecondition,
      message: "etcdserver: bad leader transferee",
    });
  });

  test("a snapshot ends with the hash of what came before", async () => {
    const parts: Uint8Array[] = [];
    for await (const { blob } of client.maintenance.snapshot()) parts.push(blob);
    const whole = Buffer.concat(parts);
    const expected = createHash("sha256").update(whole.subarray(0, -32)).digest("hex");
    expect(whole.subarray(-32).toString("hex")).toBe(expected);
  });

  test.skipIf(!isAtLeast(etcdVersion, 3, 7))(
    "rangeStream gives the whole range (needs etcd 3.7)",
    async () => {
      const value = "v".repeat(1_000);
      for (let key = 0; key < 100; key++) await client.kv.put(`stream/${key}`, value);
      let keys = 0;
      for await (const piece of client.kv.rangeStream("stream/", { prefix: true })) keys += piece.kvs.length;
      expect(keys).toBe(100);
    },
  );

  test("a stopped server is Unavailable for a write; when another one is there, reads move on to it", async () => {
    const other = await startEtcd();
    const both = connect({ endpoints: [other.endpoint, etcd.endpoint] });
    try {
      await both.kv.put("k", "v");
      await other.stop();
      expect((await both.kv.get("nothing")).kvs).toEqual([]);
    } finally {
      await both.close();
      await other.stop();
    }
  });
});
