/** What a member says before its disk has it. If this fails, a power cut takes acknowledged writes (etcd issue 14370). */
import { describe, expect, test } from "vitest";
import { encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import { PutRequest } from "../../src/gen/etcdserver.js";
import type { Effects, PendingAppend } from "../../src/member/core/events.js";
import { CoreCluster, type TestMember } from "../lease/core-cluster.js";

const body = PutRequest.encode(PutRequest.fromPartial({ key: latin1ToBytes("a") })).finish();

function propose(member: TestMember, id: bigint): void {
  member.core.step({ type: "propose", id, data: encodeRaftRequest({ id, field: RequestField.Put, body }) });
}

/** Turns until nothing is left to do without the disk; what is to be written is only gathered. */
function turnsWithoutDisk(member: TestMember) {
  const appends: PendingAppend[] = [];
  const applied: bigint[] = [];
  const sent: Effects["messages"] = [];
  for (let turn = 0; turn < 5; turn++) {
    const effects = member.core.turn();
    appends.push(...effects.appends);
    applied.push(...effects.applied.map(({ id }) => id));
    sent.push(...effects.messages);
  }
  return { appends, applied, sent };
}

describe("nothing is acknowledged before it is durable", () => {
  test("a member that is alone answers a write only after its own disk has it", () => {
    const cluster = new CoreCluster(1);
    const [alone] = cluster.members;
    cluster.elect(alone!);
    propose(alone!, 1n);
    const { appends, applied } = turnsWithoutDisk(alone!);
    expect(applied).toEqual([]);
    expect(alone!.mvcc.revision).toBe(1);
    expect(appends.some(({ append, mustSync }) => mustSync && append.entries.length === 1)).toBe(true);
    for (const { responses } of appends) alone!.core.step({ type: "persisted", responses });
    expect(turnsWithoutDisk(alone!).applied).toEqual([1n]);
    expect(alone!.mvcc.revision).toBe(2);
  });

  test("a follower tells its leader of entries only after its own disk has them", () => {
    const cluster = new CoreCluster(3);
    const [leader, follower] = cluster.members;
    cluster.elect(leader!);
    propose(leader!, 1n);
    const appendFor = turnsWithoutDisk(leader!).sent.filter(({ to }) => to === follower!.id);
    for (const message of appendFor) follower!.core.step({ type: "message", message });
    const { appends, sent } = turnsWithoutDisk(follower!);
    expect(appendFor.map(({ type }) => type)).toContain("MsgApp");
    expect(sent.filter(({ type }) => type === "MsgAppResp")).toEqual([]);
    const waiting = appends.flatMap(({ responses }) => responses);
    expect(waiting.map(({ type, to }) => [type, to])).toContainEqual(["MsgAppResp", leader!.id]);
  });

  test("a follower that is only told of a commit answers without writing: a second fdatasync for each put else", () => {
    const cluster = new CoreCluster(3);
    const [leader, follower] = cluster.members;
    cluster.elect(leader!);
    propose(leader!, 1n);
    cluster.settle();
    const { raft } = leader!.core;
    const { lastIndex: index, term } = { lastIndex: raft.state.log.lastIndex(), term: raft.state.term };
    const news = { type: "MsgApp", to: follower!.id, from: leader!.id, term, index, logTerm: term } as const;
    follower!.core.step({ type: "message", message: { ...news, entries: [], commit: index } });
    const { appends } = turnsWithoutDisk(follower!);
    const types = appends.flatMap(({ responses }) => responses.map(({ type }) => type));
    expect(types).toEqual(["MsgAppResp"]);
    expect(appends.map(({ mustSync }) => mustSync)).toEqual([false]);
  });
});
