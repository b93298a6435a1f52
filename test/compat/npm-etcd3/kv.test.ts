/** The npm package etcd3 (on grpc-js), as an application uses it: builders, comparators, namespaces. */
import { type Etcd3, GRPCInvalidArgumentError, Range } from "etcd3";
import { describe, expect } from "vitest";
import { type Cases, describeCases } from "../targets.js";
import { close, open } from "./client.js";

const keyValue: Cases<Etcd3> = {
  "puts and gets strings, numbers, JSON and bytes": async (client) => {
    await client.put("types/string").value("text");
    await client.put("types/number").value(42);
    await client.put("types/json").value(JSON.stringify({ a: [1, 2] }));
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe]);
    await client.put("types/bytes").value(bytes);
    expect(await client.get("types/string")).toBe("text");
    expect(await client.get("types/number").number()).toBe(42);
    expect(await client.get("types/json").json()).toEqual({ a: [1, 2] });
    expect((await client.get("types/bytes").buffer())?.equals(bytes)).toBe(true);
    expect(await client.get("types/none")).toBeNull();
    expect(await client.get("types/string").exists()).toBe(true);
    expect(await client.get("types/none").exists()).toBe(false);
  },
  "reads a prefix as strings, keys and counts": async (client) => {
    for (const key of ["b", "a", "c"]) await client.put(`prefix/${key}`).value(key.toUpperCase());
    expect(await client.getAll().prefix("prefix/").strings()).toEqual({
      "prefix/a": "A",
      "prefix/b": "B",
      "prefix/c": "C",
    });
    expect(await client.getAll().prefix("prefix/").keys()).toEqual(["prefix/a", "prefix/b", "prefix/c"]);
    expect(await client.getAll().prefix("prefix/").count()).toBe(3);
    expect(await client.getAll().inRange(new Range("prefix/a", "prefix/c")).keys()).toEqual([
      "prefix/a",
      "prefix/b",
    ]);
  },
  "sorts and limits": async (client) => {
    for (const [key, value] of [
      ["b", "2"],
      ["a", "3"],
      ["c", "1"],
    ] as const) {
      await client.put(`sort/${key}`).value(value);
    }
    expect(await client.getAll().prefix("sort/").sort("Value", "Ascend").keys()).toEqual([
      "sort/c",
      "sort/b",
      "sort/a",
    ]);
    expect(await client.getAll().prefix("sort/").sort("Mod", "Descend").limit(2).keys()).toEqual([
      "sort/c",
      "sort/a",
    ]);
    const page = await client.getAll().prefix("sort/").limit(1).exec();
    expect([page.more, page.count]).toEqual([true, "3"]);
  },
  "reads at an old revision": async (client) => {
    const first = await client.put("old/a").value("1");
    await client.put("old/a").value("2");
    expect(await client.get("old/a").revision(first.header.revision)).toBe("1");
    expect(await client.get("old/a").serializable(false)).toBe("2");
  },
  "deletes one key, a prefix, a range, and tells what it deleted": async (client) => {
    for (const key of ["a", "b", "c", "d"]) await client.put(`delete/${key}`).value(key);
    expect((await client.delete().key("delete/a")).deleted).toBe("1");
    expect((await client.delete().key("delete/a")).deleted).toBe("0");
    const previous = await client.delete().inRange(new Range("delete/b", "delete/d")).getPrevious();
    expect(previous.map((pair) => `${pair.key}=${pair.value}`)).toEqual(["delete/b=b", "delete/c=c"]);
    expect((await client.delete().prefix("delete/")).deleted).toBe("1");
  },
  "gives the previous pair of a put": async (client) => {
    await client.put("previous/a").value("1");
    const previous = await client.put("previous/a").value("2").getPrevious();
    expect(previous?.value.toString()).toBe("1");
    expect(previous?.version).toBe("1");
  },
  "touch keeps the value and takes a version": async (client) => {
    await client.put("touch/a").value("kept");
    await client.put("touch/a").touch();
    const answer = await client.get("touch/a").exec();
    expect([answer.kvs[0]?.value.toString(), answer.kvs[0]?.version]).toEqual(["kept", "2"]);
  },
  "counts keys of all kinds of bytes": async (client) => {
    const keys = [Buffer.from("bytes/\0"), Buffer.from([...Buffer.from("bytes/"), 0xff, 0x80])];
    for (const key of keys) await client.put(key).value("v");
    expect(await client.getAll().prefix("bytes/").count()).toBe(2);
    const buffers = await client.getAll().prefix("bytes/").exec();
    expect(buffers.kvs.map((pair) => pair.key.toString("hex"))).toEqual(
      keys.map((key) => key.toString("hex")),
    );
  },
  "names the member's error": async (client) => {
    await expect(client.put("").value("v").exec()).rejects.toThrow(GRPCInvalidArgumentError);
    await expect(client.put("").value("v").exec()).rejects.toThrow("etcdserver: key is not provided");
    await expect(client.put("lost/a").value("v").lease("12345").exec()).rejects.toThrow(
      "etcdserver: requested lease not found",
    );
  },
};

const transactions: Cases<Etcd3> = {
  "if, then, else": async (client) => {
    const create = () =>
      client
        .if("txn/a", "Create", "==", 0)
        .then(client.put("txn/a").value("mine"))
        .else(client.get("txn/a"))
        .commit();
    expect((await create()).succeeded).toBe(true);
    const second = await create();
    expect(second.succeeded).toBe(false);
    expect(second.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe("mine");
  },
  "compares by every column": async (client) => {
    const { header } = await client.put("txncmp/a").value("m");
    const holds = async (
      column: "Version" | "Create" | "Mod" | "Value",
      how: "==" | ">" | "<" | "!=",
      value: string,
    ) => (await client.if("txncmp/a", column, how, value).then(client.get("txncmp/a")).commit()).succeeded;
    expect(await holds("Version", "==", "1")).toBe(true);
    expect(await holds("Version", "!=", "1")).toBe(false);
    expect(await holds("Create", "==", header.revision)).toBe(true);
    expect(await holds("Mod", ">", header.revision)).toBe(false);
    expect(await holds("Value", "<", "n")).toBe(true);
    expect(await holds("Value", "==", "m")).toBe(true);
  },
  "several operations take one revision": async (client) => {
    const result = await client
      .if("txnmany/a", "Version", "==", 0)
      .then(client.put("txnmany/a").value("1"), client.put("txnmany/b").value("2"), client.get("txnmany/a"))
      .commit();
    expect(result.responses[2]?.response_range?.kvs[0]?.mod_revision).toBe(result.header.revision);
    const pairs = (await client.getAll().prefix("txnmany/").exec()).kvs;
    expect(new Set(pairs.map((pair) => pair.mod_revision))).toEqual(new Set([result.header.revision]));
  },
  "software transactions count without loss": async (client) => {
    await client.put("stm/counter").value("0");
    const add = (): Promise<unknown> =>
      client.stm({ retries: 50 }).transact(async (tx) => {
        const value = await tx.get("stm/counter").number();
        await tx.put("stm/counter").value((value ?? 0) + 1);
      });
    for (let round = 0; round < 5; round++) await Promise.all([add(), add(), add(), add()]);
    expect(await client.get("stm/counter").number()).toBe(20);
  },
};

const namespaces: Cases<Etcd3> = {
  "a namespace sees its own keys and no others": async (client) => {
    const one = client.namespace("ns/one/");
    const two = client.namespace("ns/two/");
    await one.put("key").value("1");
    await two.put("key").value("2");
    await two.put("other").value("3");
    expect(await one.get("key")).toBe("1");
    expect(await one.getAll().keys()).toEqual(["key"]);
    expect(await two.getAll().strings()).toEqual({ key: "2", other: "3" });
    expect(await client.get("ns/one/key")).toBe("1");
    expect((await two.delete().all()).deleted).toBe("2");
    expect(await one.getAll().count()).toBe(1);
  },
  "a transaction in a namespace": async (client) => {
    const space = client.namespace("nstxn/");
    const result = await space.if("key", "Create", "==", 0).then(space.put("key").value("v")).commit();
    expect(result.succeeded).toBe(true);
    expect(await client.get("nstxn/key")).toBe("v");
  },
};

const cluster: Cases<Etcd3> = {
  "tells members, status and hash": async (client, target) => {
    const { members } = await client.cluster.memberList({});
    expect(members.map((member) => member.name).sort()).toEqual(
      Array.from({ length: target.memberCount }, (_, at) => `m${at + 1}`),
    );
    const status = await client.maintenance.status();
    expect(status.version).toBe(target.binary.version);
    expect(members.map((member) => member.ID)).toContain(status.leader);
  },
  compacts: async (client) => {
    const first = await client.put("compact/a").value("1");
    const second = await client.put("compact/a").value("2");
    await client.kv.compact({ revision: second.header.revision, physical: true });
    await expect(client.get("compact/a").revision(first.header.revision).exec()).rejects.toThrow(
      "etcdserver: mvcc: required revision has been compacted",
    );
  },
};

describe("npm etcd3 on keys", () => {
  describeCases({ ...keyValue, ...transactions, ...namespaces, ...cluster }, open, close);
});
