/** Every format against texts that etcdctl 3.7.1 printed for the same answers. */
import { describe, expect, test } from "vitest";
import { ExitCode } from "../../src/cli/failure.js";
import { loadPrinter, type Printable } from "../../src/cli/printers/printer.js";
import {
  AlarmResponse,
  HashKVResponse,
  MemberAddResponse,
  MemberListResponse,
  PutResponse,
  RangeResponse,
  StatusResponse,
  TxnResponse,
} from "../../src/gen/etcdserver.js";

async function print(format: string, item: Printable, hex = false): Promise<string> {
  const written: Uint8Array[] = [];
  const printer = await loadPrinter(format, hex, (text) => written.push(Buffer.from(text)));
  printer.print(item);
  return Buffer.concat(written).toString("utf8");
}

const header = {
  clusterId: 10144879847569953045n,
  memberId: 12428976124636271536n,
  revision: 3n,
  raftTerm: 2n,
};
const bytes = (text: string): Uint8Array => Buffer.from(text);
const kv = {
  key: bytes("a"),
  createRevision: 2n,
  modRevision: 3n,
  version: 2n,
  value: bytes("c"),
  lease: 0n,
};
const got: Printable = {
  kind: "get",
  response: RangeResponse.create({ header, kvs: [kv], count: 1n }),
  valueOnly: false,
};
const headerJson =
  '"header":{"cluster_id":10144879847569953045,"member_id":12428976124636271536,"revision":3,"raft_term":2}';

describe("get", () => {
  test("json leaves out what is zero", async () => {
    expect(await print("json", got)).toBe(
      `{${headerJson},"kvs":[{"key":"YQ==","create_revision":2,"mod_revision":3,"version":2,"value":"Yw=="}],"count":1}\n`,
    );
    const nothing: Printable = { kind: "get", response: RangeResponse.create({ header }), valueOnly: false };
    expect(await print("json", nothing)).toBe(`{${headerJson}}\n`);
  });

  test("fields, with ids in decimal or hexadecimal", async () => {
    const rest = '"Key" : "a"\n"CreateRevision" : 2\n"ModRevision" : 3\n"Version" : 2\n"Value" : "c"\n';
    const end = '"More" : false\n"Count" : 1\n';
    expect(await print("fields", got)).toBe(
      `"ClusterID" : 10144879847569953045\n"MemberID" : 12428976124636271536\n"Revision" : 3\n"RaftTerm" : 2\n${rest}"Lease" : 0\n${end}`,
    );
    expect(await print("fields", got, true)).toBe(
      `"ClusterID" : 8cc9da78b36d1115\n"MemberID" : ac7c97ef0ec193b0\n"Revision" : 3\n"RaftTerm" : 2\n${rest}"Lease" : 0000000000000000\n${end}`,
    );
  });

  test("simple prints key and value, the value alone, or both in hexadecimal", async () => {
    expect(await print("simple", got)).toBe("a\nc\n");
    expect(await print("simple", { ...got, valueOnly: true })).toBe("c\n");
    expect(await print("simple", got, true)).toBe("\\x61\n\\x63\n");
  });

  test("protobuf is the answer's bytes, which decode to it again", async () => {
    const written: Uint8Array[] = [];
    const printer = await loadPrinter("protobuf", false, (text) => written.push(Buffer.from(text)));
    printer.print(got);
    const hex = "0a1a0895a2b49b8bcff6e48c0110b0a786f6f0fda5beac0118032002120c0a01611002180320022a01632001";
    expect(Buffer.concat(written).toString("hex")).toBe(hex);
  });

  test("a format that has no form for it ends with exit code 4", async () => {
    await expect(print("table", got)).rejects.toMatchObject({
      exitCode: ExitCode.BadFeature,
      message: "table not supported as output format",
    });
    await expect(print("yaml", got)).rejects.toThrow("unsupported output format");
  });
});

test("put with the pair before it", async () => {
  const prevKv = { ...kv, modRevision: 2n, version: 1n, value: bytes("b") };
  const item: Printable = { kind: "put", response: PutResponse.create({ header, prevKv }) };
  expect(await print("json", item)).toBe(
    `{${headerJson},"prev_kv":{"key":"YQ==","create_revision":2,"mod_revision":2,"version":1,"value":"Yg=="}}\n`,
  );
  expect(await print("simple", item)).toBe("OK\na\nb\n");
});

test("txn: every kind of answer, also a nested one in json", async () => {
  const response = TxnResponse.create({
    header,
    succeeded: true,
    responses: [
      { response: { $case: "responsePut", value: { header: { revision: 9n } } } },
      { response: { $case: "responseRange", value: { kvs: [kv], count: 1n } } },
      { response: { $case: "responseDeleteRange", value: { deleted: 1n, prevKvs: [kv] } } },
      {
        response: {
          $case: "responseTxn",
          value: { responses: [{ response: { $case: "responsePut", value: {} } }] },
        },
      },
    ],
  });
  expect(await print("json", { kind: "txn", response })).toBe(
    `{${headerJson},"succeeded":true,"responses":[{"Response":{"response_put":{"header":{"revision":9}}}},` +
      '{"Response":{"response_range":{"kvs":[{"key":"YQ==","create_revision":2,"mod_revision":3,"version":2,"value":"Yw=="}],"count":1}}},' +
      '{"Response":{"response_delete_range":{"deleted":1,"prev_kvs":[{"key":"YQ==","create_revision":2,"mod_revision":3,"version":2,"value":"Yw=="}]}}},' +
      '{"Response":{"response_txn":{"responses":[{"Response":{"response_put":{}}}]}}}]}\n',
  );
  const flat = { ...response, responses: response.responses.slice(0, 3) };
  expect(await print("simple", { kind: "txn", response: flat })).toBe("SUCCESS\n\nOK\n\na\nc\n\n1\na\nc\n");
});

const members = MemberListResponse.create({
  header: { ...header, revision: 0n },
  members: [
    {
      ID: header.memberId,
      name: "default",
      peerURLs: ["http://127.0.0.1:23791"],
      clientURLs: ["http://127.0.0.1:23790"],
    },
  ],
});

test("member list in all formats", async () => {
  const item: Printable = { kind: "memberList", response: members };
  expect(await print("simple", item)).toBe(
    "ac7c97ef0ec193b0, started, default, http://127.0.0.1:23791, http://127.0.0.1:23790, false\n",
  );
  expect(await print("json", item, true)).toBe(
    '{"header":{"cluster_id":"8cc9da78b36d1115","member_id":"ac7c97ef0ec193b0","raft_term":2},"members":[{"ID":"ac7c97ef0ec193b0","name":"default","peerURLs":["http://127.0.0.1:23791"],"clientURLs":["http://127.0.0.1:23790"]}]}\n',
  );
  expect(await print("table", item)).toBe(
    [
      "┌──────────────────┬─────────┬─────────┬────────────────────────┬────────────────────────┬────────────┐",
      "│        ID        │ STATUS  │  NAME   │       PEER ADDRS       │      CLIENT ADDRS      │ IS LEARNER │",
      "├──────────────────┼─────────┼─────────┼────────────────────────┼────────────────────────┼────────────┤",
      "│ ac7c97ef0ec193b0 │ started │ default │ http://127.0.0.1:23791 │ http://127.0.0.1:23790 │      false │",
      "└──────────────────┴─────────┴─────────┴────────────────────────┴────────────────────────┴────────────┘",
      "",
    ].join("\n"),
  );
});

test("changes of membership in words, and in json with ids in hexadecimal", async () => {
  const learner = { ID: 0xabcn, peerURLs: ["http://127.0.0.1:4"], isLearner: true };
  const response = MemberAddResponse.create({
    header: { ...header, revision: 0n },
    member: learner,
    members: [learner],
  });
  expect(await print("simple", { kind: "memberAdd", response })).toBe(
    "Member              abc added as learner to cluster 8cc9da78b36d1115\n",
  );
  const learnerJson = '{"ID":"abc","peerURLs":["http://127.0.0.1:4"],"isLearner":true}';
  expect(await print("json", { kind: "memberAdd", response }, true)).toBe(
    `{"header":{"cluster_id":"8cc9da78b36d1115","member_id":"ac7c97ef0ec193b0","raft_term":2},"member":${learnerJson},"members":[${learnerJson}]}\n`,
  );
  const words = {
    memberRemove: "removed from",
    memberUpdate: "updated in",
    memberPromote: "promoted in",
  } as const;
  for (const kind of ["memberRemove", "memberUpdate", "memberPromote"] as const) {
    expect(await print("simple", { kind, id: 0xabcn, response: members })).toBe(
      `Member              abc ${words[kind]} cluster 8cc9da78b36d1115\n`,
    );
  }
});

test("endpoint status, where an alarm is on", async () => {
  const response = StatusResponse.create({
    header: { clusterId: 12499579882375668459n, memberId: 6987771583291745523n, revision: 3n, raftTerm: 2n },
    version: "3.7.1",
    dbSize: 36864n,
    leader: 6987771583291745523n,
    raftIndex: 18n,
    raftTerm: 2n,
    raftAppliedIndex: 18n,
    errors: ["memberID:6987771583291745523 alarm:NOSPACE"],
    dbSizeInUse: 32768n,
    storageVersion: "3.7.0",
    dbSizeQuota: 40000n,
    downgradeInfo: {},
  });
  const item: Printable = { kind: "endpointStatus", items: [{ endpoint: "127.0.0.1:23890", response }] };
  expect(await print("simple", item)).toBe(
    "127.0.0.1:23890, 60f98d3b71ac64f3, 3.7.1, 3.7.0, 37 kB, 33 kB, 12%, 40 kB, true, false, 2, 18, 18, memberID:6987771583291745523 alarm:NOSPACE, , false\n",
  );
  expect(await print("json", item)).toBe(
    '[{"Endpoint":"127.0.0.1:23890","Status":{"header":{"cluster_id":12499579882375668459,"member_id":6987771583291745523,"revision":3,"raft_term":2},"version":"3.7.1","dbSize":36864,"leader":6987771583291745523,"raftIndex":18,"raftTerm":2,"raftAppliedIndex":18,"errors":["memberID:6987771583291745523 alarm:NOSPACE"],"dbSizeInUse":32768,"storageVersion":"3.7.0","dbSizeQuota":40000,"downgradeInfo":{}}}]\n',
  );
  expect(await print("fields", item)).toContain('"Errors" : [memberID:6987771583291745523 alarm:NOSPACE]\n');
});

test("endpoints of which none answered", async () => {
  expect(await print("json", { kind: "endpointStatus", items: [] })).toBe("null\n");
  expect(await print("simple", { kind: "endpointHealth", items: [] })).toBe("");
  expect(await print("table", { kind: "endpointHashKv", items: [] })).toBe(
    "┌──────────┬──────┬───────────────┐\n│ ENDPOINT │ HASH │ HASH REVISION │\n└──────────┴──────┴───────────────┘\n",
  );
});

test("endpoint health and hashkv", async () => {
  const items = [
    { endpoint: "127.0.0.1:1", health: true, took: "3.805341ms", error: "" },
    { endpoint: "127.0.0.1:2", health: false, took: "200.42445ms", error: "context deadline exceeded" },
  ];
  expect(await print("json", { kind: "endpointHealth", items })).toBe(
    '[{"endpoint":"127.0.0.1:1","health":true,"took":"3.805341ms"},{"endpoint":"127.0.0.1:2","health":false,"took":"200.42445ms","error":"context deadline exceeded"}]\n',
  );
  expect(await print("fields", { kind: "endpointHealth", items: items.slice(0, 1) })).toBe(
    '"Endpoint" : "127.0.0.1:1"\n"Health" : true\n"Took" : 3.805341ms\n"Error" : \n\n',
  );
  const response = HashKVResponse.create({
    header,
    hash: 2695939337,
    compactRevision: -1n,
    hashRevision: 3n,
  });
  expect(await print("json", { kind: "endpointHashKv", items: [{ endpoint: "e", response }] })).toBe(
    `[{"Endpoint":"e","HashKV":{${headerJson},"hash":2695939337,"compact_revision":-1,"hash_revision":3}}]\n`,
  );
});

test("alarms, and the answer to disarming none", async () => {
  const alarms = [{ memberID: 6987771583291745523n, alarm: 1 }];
  const item: Printable = { kind: "alarm", response: AlarmResponse.create({ header, alarms }) };
  expect(await print("simple", item)).toBe("memberID:6987771583291745523 alarm:NOSPACE\n");
  expect(await print("json", item)).toBe(
    `{${headerJson},"alarms":[{"memberID":6987771583291745523,"alarm":1}]}\n`,
  );
  expect(await print("fields", item)).toContain(
    '"MemberID" : 6987771583291745523\n"AlarmType" : NOSPACE\n\n',
  );
  expect(await print("json", { kind: "alarm", response: AlarmResponse.create() })).toBe("{}\n");
});

test("move-leader is told in words, and has no fields", async () => {
  const item: Printable = { kind: "moveLeader", leader: 255n, target: 16n, response: { header } };
  expect(await print("simple", item)).toBe("Leadership transferred from ff to 10\n");
  expect(await print("json", item)).toBe(`{${headerJson}}\n`);
  await expect(print("fields", item)).rejects.toThrow("fields not supported as output format");
});
