/** What a client does is counted under etcd's names, with etcd's meaning: dashboards and alerts live on it. */
import { describe, expect } from "vitest";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../../../src/gen/etcdserver.js";
import { RawClient } from "../../api/raw-client.js";
import { startCluster } from "../../support/cluster.js";
import { httpGet } from "../../support/http-get.js";
import type { ServerBinary } from "../../support/server-binary.js";
import { describeBinaries, type ProcessCase } from "./binaries.js";

const key = Buffer.from("a");

/** Two puts, a range, a delete, a transaction of a put and a range, a request that is refused, a compaction. */
async function work(client: RawClient): Promise<void> {
  const put = PutRequest.fromPartial({ key, value: Buffer.from("12345") });
  const range = RangeRequest.fromPartial({ key });
  const kv = "/etcdserverpb.KV";
  await client.call(`${kv}/Put`, PutRequest, PutResponse, put);
  await client.call(`${kv}/Put`, PutRequest, PutResponse, put);
  await client.call(`${kv}/Range`, RangeRequest, RangeResponse, range);
  await client.call(
    `${kv}/DeleteRange`,
    DeleteRangeRequest,
    DeleteRangeResponse,
    DeleteRangeRequest.fromPartial({ key }),
  );
  const success = [
    { request: { $case: "requestPut" as const, value: put } },
    { request: { $case: "requestRange" as const, value: range } },
  ];
  await client.call(`${kv}/Txn`, TxnRequest, TxnResponse, TxnRequest.fromPartial({ success }));
  const empty = client.call(`${kv}/Put`, PutRequest, PutResponse, PutRequest.fromPartial({}));
  await expect(empty).rejects.toMatchObject({ message: "etcdserver: key is not provided" });
  const compaction = CompactionRequest.fromPartial({ revision: 3n, physical: true });
  await client.call(`${kv}/Compact`, CompactionRequest, CompactionResponse, compaction);
}

/** The growth of each unlabelled series, or of those named with their labels. */
function growth(before: string, after: string): (series: string) => number {
  const valueIn = (text: string, series: string): number => {
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    expect(line ?? series, series).toContain(" ");
    return Number(line!.slice(series.length + 1));
  };
  return (series) => valueIn(after, series) - valueIn(before, series);
}

async function countsOfWork(binary: ServerBinary): Promise<void> {
  const cluster = await startCluster(binary, 1, { extraArgs: [], withTls: false });
  try {
    const [member] = cluster.members;
    const scrape = async (): Promise<string> => (await httpGet(member!.url("/metrics"), 5_000)).body;
    const client = await RawClient.connect(member!.url("").replace(/^http:\/\//, ""));
    const before = await scrape();
    await work(client);
    const grew = growth(before, await scrape());
    expect({
      put: grew("etcd_mvcc_put_total"),
      delete: grew("etcd_mvcc_delete_total"),
      txn: grew("etcd_mvcc_txn_total"),
      putBytes: grew("etcd_debugging_mvcc_total_put_size_in_bytes"),
      compactions: grew("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count"),
      leaders: grew("etcd_server_leader_changes_seen_total"),
      failed: grew("etcd_server_proposals_failed_total"),
    }).toEqual({ put: 3, delete: 1, txn: 1, putBytes: 18, compactions: 1, leaders: 0, failed: 0 });
    const calls = (name: string, method: string, code = ""): number =>
      grew(
        code === ""
          ? `grpc_server_${name}{grpc_method="${method}",grpc_service="etcdserverpb.KV",grpc_type="unary"}`
          : `grpc_server_${name}{grpc_code="${code}",grpc_method="${method}",grpc_service="etcdserverpb.KV",grpc_type="unary"}`,
      );
    expect([calls("started_total", "Put"), calls("handled_total", "Put", "OK")]).toEqual([3, 2]);
    expect(calls("handled_total", "Put", "InvalidArgument")).toBe(1);
    expect([calls("msg_received_total", "Txn"), calls("msg_sent_total", "Txn")]).toEqual([1, 1]);
    expect(grew("etcd_mvcc_range_total")).toBeGreaterThanOrEqual(2);
    expect(grew("etcd_network_client_grpc_received_bytes_total")).toBeGreaterThan(20);
    expect(grew("etcd_network_client_grpc_sent_bytes_total")).toBeGreaterThan(20);
    client.close();
  } finally {
    await cluster.destroy();
  }
}

const cases: readonly ProcessCase[] = [
  { title: "a client's work is counted as etcd counts it", since: [3, 6], run: countsOfWork },
];

describe("/metrics", () => describeBinaries(cases));
