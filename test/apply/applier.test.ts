import { beforeEach, describe, expect, test } from "vitest";
import { Alarms } from "../../src/apply/alarms.js";
import { Applier } from "../../src/apply/applier.js";
import { encodeLeaseCheckpoints, encodeLeaseGrant, encodeLeaseId } from "../../src/apply/lease-requests.js";
import { encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import { type isStoreError, StoreError } from "../../src/base/errors.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  TxnRequest,
} from "../../src/gen/etcdserver.js";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "../../src/gen/membership.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { Lessor } from "../../src/lease/lessor.js";
import { Membership } from "../../src/membership/membership.js";
import { MvccStore } from "../../src/mvcc/store.js";
import { MemoryRecords } from "../lease/core-cluster.js";
import { MemoryLog, range } from "../mvcc/fakes.js";

const memberId = 0xdeadn;

class State {
  readonly records = new MemoryRecords();
  readonly membership = new Membership({ learnersMax: 1 }, { records: this.records });
  readonly alarms = new Alarms({ records: this.records });
  readonly leases = new Lessor({ records: this.records, metrics: leaseMetrics(new MetricRegistry()) });
  readonly store = new MvccStore(
    {},
    { log: new MemoryLog(), leases: this.leases, changes: { committed() {} } },
  );
  readonly applier = new Applier(this);
  private nextId = 1n;

  apply(field: number, body: Uint8Array): ApplyResult | StoreError {
    const id = this.nextId++;
    const applied = this.applier.apply(encodeRaftRequest({ id, field, body }));
    expect(applied?.id).toBe(id);
    return applied!.outcome;
  }

  put(key: string, lease = 0n): ApplyResult | StoreError {
    const request = PutRequest.fromPartial({ key: latin1ToBytes(key), value: latin1ToBytes("v"), lease });
    return this.apply(RequestField.Put, PutRequest.encode(request).finish());
  }

  delete(key: string): ApplyResult | StoreError {
    const request = DeleteRangeRequest.fromPartial({ key: latin1ToBytes(key) });
    return this.apply(RequestField.DeleteRange, DeleteRangeRequest.encode(request).finish());
  }

  grant(id: bigint, ttlSeconds: number): ApplyResult | StoreError {
    return this.apply(RequestField.LeaseGrant, encodeLeaseGrant({ id, ttlSeconds }));
  }

  revoke(id: bigint): ApplyResult | StoreError {
    return this.apply(RequestField.LeaseRevoke, encodeLeaseId(id));
  }

  alarm(action: AlarmRequest_AlarmAction, alarm: AlarmType): ApplyResult | StoreError {
    const body = AlarmRequest.encode({ action, memberID: memberId, alarm }).finish();
    return this.apply(RequestField.Alarm, body);
  }

  count(): number {
    return this.store.range(range("\0", "\0", { countOnly: true })).count;
  }
}

const { ACTIVATE, DEACTIVATE, GET } = AlarmRequest_AlarmAction;
const { NOSPACE, CORRUPT, NONE } = AlarmType;
let state: State;

beforeEach(() => {
  state = new State();
});

function refusedWith(outcome: ApplyResult | StoreError, code: Parameters<typeof isStoreError>[1]): void {
  expect(outcome).toBeInstanceOf(StoreError);
  expect((outcome as StoreError).detail.code).toBe(code);
}

describe("entries that are no request", () => {
  test("a new leader's empty entry changes nothing and answers nobody", () => {
    expect(state.applier.apply(new Uint8Array())).toBeUndefined();
  });

  test("an entry that nobody can read stops no member", () => {
    expect(state.applier.apply(Uint8Array.of(0xff, 0xff))).toBeUndefined();
    expect(state.store.revision).toBe(1);
  });

  test("a request that nobody can read is answered, and changes nothing", () => {
    refusedWith(state.apply(RequestField.Put, Uint8Array.of(10, 200)), "Other");
    expect(state.store.revision).toBe(1);
  });

  test("a request of a newer version is refused by every member alike", () => {
    refusedWith(state.apply(1_200, new Uint8Array()), "NotCapable");
  });
});

describe("keys", () => {
  test("puts, deletes, transactions and compactions reach the store", () => {
    expect(state.put("a")).toMatchObject({ kind: "put", put: { revision: 2 } });
    expect(state.delete("a")).toMatchObject({
      kind: "deleteRange",
      deleteRange: { deleted: 1, revision: 3 },
    });
    const txn = TxnRequest.fromPartial({
      success: [{ request: { $case: "requestPut", value: { key: latin1ToBytes("b") } } }],
    });
    expect(state.apply(RequestField.Txn, TxnRequest.encode(txn).finish())).toMatchObject({
      kind: "txn",
      txn: { succeeded: true, revision: 4 },
    });
    const compaction = CompactionRequest.encode({ revision: 3n, physical: false }).finish();
    expect(state.apply(RequestField.Compaction, compaction)).toEqual({ kind: "compaction", revision: 4 });
    refusedWith(state.apply(RequestField.Compaction, compaction), "Compacted");
  });
});

describe("leases", () => {
  test("are granted as the log says, and refused alike everywhere", () => {
    expect(state.grant(7n, 60)).toEqual({ kind: "leaseGrant", id: 7n, ttlSeconds: 60 });
    refusedWith(state.grant(7n, 60), "LeaseExist");
    refusedWith(state.grant(0n, 60), "LeaseNotFound");
    refusedWith(state.grant(8n, 9_000_000_001), "LeaseTTLTooLarge");
  });

  test("take their keys with them, all in one revision; one without keys makes none", () => {
    state.grant(7n, 60);
    state.grant(8n, 60);
    for (const key of ["c", "a", "b"]) state.put(key, 7n);
    state.put("kept");
    expect(state.revoke(7n)).toEqual({ kind: "leaseRevoke", revision: 6 });
    expect(state.count()).toBe(1);
    expect(state.revoke(8n)).toEqual({ kind: "leaseRevoke", revision: 6 });
    refusedWith(state.revoke(8n), "LeaseNotFound");
    refusedWith(state.put("d", 7n), "LeaseNotFound");
  });

  test("leave alone a key that moved to another lease, or to none", () => {
    state.grant(7n, 60);
    state.grant(8n, 60);
    for (const key of ["a", "b", "c"]) state.put(key, 7n);
    state.put("a", 8n);
    state.put("b");
    state.delete("c");
    state.put("c");
    state.revoke(7n);
    expect(state.count()).toBe(3);
    expect(state.leases.find(8n)?.keys).toEqual(["a"]);
  });

  test("remember what was left of them; one that is gone is passed over", () => {
    state.grant(7n, 60);
    const body = encodeLeaseCheckpoints([
      { id: 6n, remainingSeconds: 3 },
      { id: 7n, remainingSeconds: 20 },
    ]);
    expect(state.apply(RequestField.LeaseCheckpoint, body)).toEqual({ kind: "done" });
    expect(state.leases.find(7n)?.remainingSeconds).toBe(20);
  });
});

describe("alarms", () => {
  test("are raised, listed and taken back through the log", () => {
    const record = { memberId, alarm: "NOSPACE" };
    expect(state.alarm(ACTIVATE, NOSPACE)).toEqual({ kind: "alarm", alarms: [record] });
    expect(state.alarm(GET, NONE)).toEqual({ kind: "alarm", alarms: [record] });
    expect(state.alarm(GET, CORRUPT)).toEqual({ kind: "alarm", alarms: [] });
    expect(state.alarm(ACTIVATE, NONE)).toEqual({ kind: "alarm", alarms: [] });
    expect(state.alarm(DEACTIVATE, NOSPACE)).toEqual({ kind: "alarm", alarms: [record] });
    expect(state.alarm(DEACTIVATE, NOSPACE)).toEqual({ kind: "alarm", alarms: [] });
  });

  test("without space nothing is added, and all can be taken away", () => {
    state.grant(7n, 60);
    state.put("a", 7n);
    state.put("b");
    state.alarm(ACTIVATE, NOSPACE);
    refusedWith(state.put("c"), "NoSpace");
    refusedWith(state.grant(8n, 60), "NoSpace");
    const txn = (success: TxnRequest["success"]): ApplyResult | StoreError =>
      state.apply(RequestField.Txn, TxnRequest.encode({ compare: [], success, failure: [] }).finish());
    const key = latin1ToBytes("b");
    const put = PutRequest.fromPartial({ key });
    const deletion = DeleteRangeRequest.fromPartial({ key });
    const putting = txn([{ request: { $case: "requestPut", value: put } }]);
    refusedWith(putting, "NoSpace");
    const nested = {
      compare: [],
      success: [{ request: { $case: "requestPut" as const, value: put } }],
      failure: [],
    };
    refusedWith(txn([{ request: { $case: "requestTxn", value: nested } }]), "NoSpace");
    expect(txn([{ request: { $case: "requestDeleteRange", value: deletion } }])).toMatchObject({
      kind: "txn",
    });
    expect(state.revoke(7n)).toMatchObject({ kind: "leaseRevoke" });
    expect(state.count()).toBe(0);
  });

  test("with damage somewhere nothing changes, until it is taken back; a lease that ran out is tried again", () => {
    state.grant(7n, 60);
    state.put("a", 7n);
    state.leases.timing.promote(state.leases.all(), 0);
    state.leases.timing.tick(1_000);
    state.leases.timing.tick(100_000);
    expect(state.leases.timing.takeExpired(100_000, 5)).toHaveLength(1);
    state.alarm(ACTIVATE, CORRUPT);
    const { revision } = state.store;
    refusedWith(state.put("b"), "Corrupt");
    refusedWith(state.delete("a"), "Corrupt");
    refusedWith(state.grant(8n, 60), "Corrupt");
    refusedWith(state.revoke(7n), "Corrupt");
    refusedWith(
      state.apply(
        RequestField.Compaction,
        CompactionRequest.encode({ revision: 1n, physical: false }).finish(),
      ),
      "Corrupt",
    );
    expect(state.store.revision).toBe(revision);
    state.leases.timing.tick(200_000);
    expect(state.leases.timing.takeExpired(200_000, 5)).toHaveLength(1);
    state.alarm(DEACTIVATE, CORRUPT);
    expect(state.revoke(7n)).toMatchObject({ kind: "leaseRevoke" });
  });
});

describe("the cluster", () => {
  test("a member's name and the version come from the log", () => {
    state.membership.add({
      id: memberId,
      name: "",
      peerUrls: ["http://x"],
      clientUrls: [],
      isLearner: false,
    });
    const attributes = { name: "m1", clientUrls: ["http://c"] };
    const set = ClusterMemberAttrSetRequest.encode({
      memberID: memberId,
      memberAttributes: attributes,
    }).finish();
    expect(state.apply(RequestField.ClusterMemberAttrSet, set)).toEqual({ kind: "done" });
    expect(state.membership.member(memberId)).toMatchObject(attributes);
    const version = ClusterVersionSetRequest.encode({ ver: "3.7.0" }).finish();
    expect(state.apply(RequestField.ClusterVersionSet, version)).toEqual({ kind: "done" });
    expect(state.membership.clusterVersion).toBe("3.7.0");
  });

  test("a description without attributes, and of a member that is gone, changes nothing", () => {
    const empty = ClusterMemberAttrSetRequest.encode({
      memberID: memberId,
      memberAttributes: undefined,
    }).finish();
    expect(state.apply(RequestField.ClusterMemberAttrSet, empty)).toEqual({ kind: "done" });
    expect(state.membership.members()).toEqual([]);
  });
});

test("two members that apply the same entries give the same answers and hold the same records", () => {
  const other = new State();
  for (const one of [state, other]) {
    one.grant(7n, 60);
    one.put("a", 7n);
    one.put("b", 8n);
    one.alarm(ACTIVATE, NOSPACE);
    one.put("c");
    one.revoke(7n);
  }
  expect(other.records.listState("")).toEqual(state.records.listState(""));
  expect(other.store.revision).toBe(state.store.revision);
});
