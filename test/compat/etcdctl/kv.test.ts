/** Debian's etcdctl (3.4): what people and scripts type. Its output is compared to the letter. */
import { expect } from "vitest";
import type { Cases } from "../targets.js";
import { base64, describeEtcdctl, type Etcdctl } from "./etcdctl.js";

const writing: Cases<Etcdctl> = {
  "put says OK, get prints key and value": async (ctl) => {
    expect(await ctl.ok(["put", "simple/a", "1"])).toBe("OK");
    expect(await ctl.ok(["get", "simple/a"])).toBe("simple/a\n1");
    expect(await ctl.ok(["get", "--print-value-only", "simple/a"])).toBe("1");
    expect(await ctl.ok(["get", "simple/none"])).toBe("");
  },
  "put --prev-kv prints the pair from before": async (ctl) => {
    expect(await ctl.ok(["put", "--prev-kv", "prev/a", "1"])).toBe("OK");
    expect(await ctl.ok(["put", "--prev-kv", "prev/a", "2"])).toBe("OK\nprev/a\n1");
  },
  "put reads the value from its input": async (ctl) => {
    await ctl.ok(["put", "stdin/a"], "two\nlines");
    expect(await ctl.ok(["get", "--print-value-only", "stdin/a"])).toBe("two\nlines");
  },
  "put --ignore-value keeps the value": async (ctl) => {
    await ctl.ok(["put", "ignore/a", "kept"]);
    await ctl.ok(["put", "--ignore-value", "ignore/a"]);
    expect(await ctl.ok(["get", "--print-value-only", "ignore/a"])).toBe("kept");
    expect(await ctl.fails(["put", "--ignore-value", "ignore/none"])).toBe(
      "1 Error: etcdserver: key not found",
    );
    expect(await ctl.fails(["put", "--ignore-lease", "ignore/none", "v"])).toBe(
      "1 Error: etcdserver: key not found",
    );
  },
  "put with a lease that does not exist fails": async (ctl) => {
    expect(await ctl.fails(["put", "--lease=1234abcd", "lease/a", "1"])).toBe(
      "1 Error: etcdserver: requested lease not found",
    );
    expect(await ctl.ok(["get", "lease/a"])).toBe("");
  },
  "del counts, and prints what it took with --prev-kv": async (ctl) => {
    for (const key of ["a", "b", "c"]) await ctl.ok(["put", `del/${key}`, key]);
    expect(await ctl.ok(["del", "del/none"])).toBe("0");
    expect(await ctl.ok(["del", "--prev-kv", "del/a"])).toBe("1\ndel/a\na");
    expect(await ctl.ok(["del", "--prev-kv", "--prefix", "del/"])).toBe("2\ndel/b\nb\ndel/c\nc");
    expect(await ctl.ok(["del", "del/", "del0"])).toBe("0");
  },
  "del of a range takes its start and leaves its end": async (ctl) => {
    for (const key of ["a", "b", "c"]) await ctl.ok(["put", `delrange/${key}`, key]);
    expect(await ctl.ok(["del", "delrange/a", "delrange/c"])).toBe("2");
    expect(await ctl.ok(["get", "--prefix", "--print-value-only", "delrange/"])).toBe("c");
  },
  "del --from-key reaches the last key": async (ctl) => {
    for (const key of ["~~a", "~~b", "~~c"]) await ctl.ok(["put", key, "v"]);
    expect(await ctl.ok(["del", "--from-key", "~~b"])).toBe("2");
    expect(await ctl.ok(["get", "--from-key", "--keys-only", "~~"])).toBe("~~a\n");
  },
};

const reading: Cases<Etcdctl> = {
  "get in JSON carries every field of the pair": async (ctl) => {
    const put = await ctl.json(["put", "json/a", "1"]);
    expect(Object.keys(put)).toEqual(["header"]);
    expect(Object.keys(put.header)).toEqual(["cluster_id", "member_id", "revision", "raft_term"]);
    await ctl.json(["put", "json/a", "x\u0001y"]);
    const got = await ctl.json(["get", "json/a"]);
    const revision = put.header.revision;
    expect({ ...got, header: got.header.revision }).toEqual({
      header: revision + 1,
      kvs: [
        {
          key: base64("json/a"),
          create_revision: revision,
          mod_revision: revision + 1,
          version: 2,
          value: base64("x\u0001y"),
        },
      ],
      count: 1,
    });
    expect(got.header.cluster_id).toBe(put.header.cluster_id);
    expect(got.header.raft_term).toBe(put.header.raft_term);
  },
  "get in fields names every field": async (ctl) => {
    await ctl.ok(["put", "fields/a", "1"]);
    const { header } = await ctl.json(["put", "fields/a", "2"]);
    const lines = (await ctl.ok(["--write-out", "fields", "get", "fields/a"])).split("\n");
    expect(lines[0]).toMatch(/^"ClusterID" : \d+$/);
    expect(lines[1]).toMatch(/^"MemberID" : \d+$/);
    expect(lines.slice(2)).toEqual([
      `"Revision" : ${header.revision}`,
      `"RaftTerm" : ${header.raft_term}`,
      '"Key" : "fields/a"',
      `"CreateRevision" : ${header.revision - 1}`,
      `"ModRevision" : ${header.revision}`,
      '"Version" : 2',
      '"Value" : "2"',
      '"Lease" : 0',
      '"More" : false',
      '"Count" : 1',
    ]);
  },
  "get --hex prints bytes": async (ctl) => {
    await ctl.ok(["put", "hex/é", "ÿ"]);
    expect(await ctl.ok(["get", "--hex", "--prefix", "hex/"])).toBe(
      "\\x68\\x65\\x78\\x2f\\xc3\\xa9\n\\xc3\\xbf",
    );
  },
  "get --keys-only with --prefix lists the keys": async (ctl) => {
    for (const key of ["b", "a", "c"]) await ctl.ok(["put", `keys/${key}`, "v"]);
    expect(await ctl.ok(["get", "--prefix", "--keys-only", "keys/"])).toBe("keys/a\n\nkeys/b\n\nkeys/c\n");
  },
  "get --limit tells that there is more": async (ctl) => {
    for (const key of ["a", "b", "c"]) await ctl.ok(["put", `limit/${key}`, "v"]);
    const page = await ctl.json(["get", "--prefix", "--limit", "2", "limit/"]);
    expect([page.kvs?.length, page.count, page.more]).toEqual([2, 3, true]);
    const whole = await ctl.json(["get", "--prefix", "--limit", "3", "limit/"]);
    expect([whole.kvs?.length, whole.count, whole.more]).toEqual([3, 3, undefined]);
  },
  "get --sort-by and --order sort": async (ctl) => {
    for (const [key, value] of ["b2", "a3", "c1", "b5"]) await ctl.ok(["put", `sort/${key}`, value!]);
    const values = async (by: string, order: string): Promise<string> =>
      (await ctl.ok(["get", "--prefix", "--print-value-only", "--sort-by", by, "--order", order, "sort/"]))
        .split("\n")
        .join("");
    expect(await values("KEY", "ASCEND")).toBe("351");
    expect(await values("KEY", "DESCEND")).toBe("153");
    expect(await values("VALUE", "ASCEND")).toBe("135");
    expect(await values("MODIFY", "DESCEND")).toBe("513");
    expect(await values("CREATE", "ASCEND")).toBe("531");
    expect(await values("VERSION", "DESCEND")).toMatch(/^5/);
  },
  "get --rev shows the past, and says what is out of reach": async (ctl) => {
    const first = await ctl.json(["put", "rev/a", "1"]);
    await ctl.ok(["put", "rev/a", "2"]);
    const rev = (revision: number): readonly string[] => [
      "get",
      "--print-value-only",
      `--rev=${revision}`,
      "rev/a",
    ];
    expect(await ctl.ok(rev(first.header.revision))).toBe("1");
    expect(await ctl.ok(rev(first.header.revision - 1))).toBe("");
    expect(await ctl.fails(rev(first.header.revision + 1000))).toBe(
      "1 Error: etcdserver: mvcc: required revision is a future revision",
    );
  },
  "get --consistency=s is answered, an unknown consistency is not": async (ctl) => {
    expect(await ctl.ok(["get", "--consistency=s", "consistency/none"])).toBe("");
    expect(await ctl.fails(["get", "--consistency=q", "consistency/none"])).toBe(
      '4 Error: unknown consistency flag "q"',
    );
  },
};

const transactions: Cases<Etcdctl> = {
  "txn takes its branch and prints the answers": async (ctl) => {
    const script = 'ver("txn/a") = "0"\n\nput txn/a new\nget txn/a\n\nget txn/b\nget txn/a\n\n';
    expect(await ctl.ok(["txn"], script)).toBe("SUCCESS\n\nOK\n\ntxn/a\nnew");
    expect(await ctl.ok(["txn"], script)).toBe("FAILURE\n\n\ntxn/a\nnew");
  },
  "txn in JSON has an answer for each operation": async (ctl) => {
    const { header } = await ctl.json(["put", "txnjson/a", "1"]);
    const script = 'val("txnjson/a") = "1"\n\nput txnjson/a 2\ndel txnjson/none\nget txnjson/a\n\n\n';
    const answer = await ctl.json(["txn"], script);
    const revision = header.revision + 1;
    expect(answer.succeeded).toBe(true);
    expect(answer.header.revision).toBe(revision);
    const pair = {
      key: base64("txnjson/a"),
      create_revision: revision - 1,
      mod_revision: revision,
      version: 2,
    };
    expect(answer.responses).toEqual([
      { Response: { ResponsePut: { header: { revision } } } },
      { Response: { ResponseDeleteRange: { header: { revision } } } },
      {
        Response: {
          ResponseRange: { header: { revision }, kvs: [{ ...pair, value: base64("2") }], count: 1 },
        },
      },
    ]);
  },
  "txn compares create, mod, version and value": async (ctl) => {
    const { header } = await ctl.json(["put", "txncmp/a", "m"]);
    const verdicts: readonly (readonly [compare: string, verdict: string])[] = [
      [`create("txncmp/a") = "${header.revision}"`, "SUCCESS"],
      [`create("txncmp/a") > "${header.revision}"`, "FAILURE"],
      [`mod("txncmp/a") < "${header.revision + 1}"`, "SUCCESS"],
      [`ver("txncmp/a") = "1"`, "SUCCESS"],
      [`val("txncmp/a") > "l"`, "SUCCESS"],
      [`val("txncmp/a") < "m"`, "FAILURE"],
      [`val("txncmp/none") = ""`, "FAILURE"],
    ];
    for (const [compare, verdict] of verdicts) {
      expect((await ctl.ok(["txn"], `${compare}\n\n\n\n`)).split("\n")[0], compare).toBe(verdict);
    }
  },
  "txn that puts a key twice is refused": async (ctl) => {
    expect(await ctl.fails(["txn"], "\nput txndup/a 1\nput txndup/a 2\n\n\n")).toBe(
      "1 Error: etcdserver: duplicate key given in txn request",
    );
  },
  "compaction says what it did, and refuses what it cannot do": async (ctl) => {
    await ctl.ok(["put", "compact/a", "1"]);
    const { header } = await ctl.json(["put", "compact/a", "2"]);
    const revision = header.revision;
    expect(await ctl.ok(["compaction", "--physical", String(revision)])).toBe(
      `compacted revision ${revision}`,
    );
    const compacted = "1 Error: etcdserver: mvcc: required revision has been compacted";
    expect(await ctl.fails(["compaction", String(revision)])).toBe(compacted);
    expect(await ctl.fails(["get", `--rev=${revision - 1}`, "compact/a"])).toBe(compacted);
    expect(await ctl.ok(["get", "--print-value-only", `--rev=${revision}`, "compact/a"])).toBe("2");
    expect(await ctl.fails(["compaction", String(revision + 1000)])).toBe(
      "1 Error: etcdserver: mvcc: required revision is a future revision",
    );
  },
};

describeEtcdctl("etcdctl on keys", { ...writing, ...reading, ...transactions });
