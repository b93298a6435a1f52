/** The Maintenance service: what a member says of itself. */
import { RequestField } from "../apply/raft-request.js";
import { assert } from "../base/assert.js";
import { storeError } from "../base/errors.js";
import {
  AlarmRequest,
  AlarmResponse,
  AlarmType,
  HashKVRequest,
  HashKVResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  StatusRequest,
  StatusResponse,
} from "../gen/etcdserver.js";
import type { AlarmInfo, Member } from "../member/contract.js";
import type { RpcMethod, UnaryMethod } from "../transport/rpc.js";
import { errorText } from "./error-table.js";
import { generatedCodec } from "./generated-codec.js";
import { generatedHeader } from "./header.js";

export interface MaintenanceOptions {
  /** The version that clients see, "3.7.1". */
  readonly serverVersion: string;
}

/** etcd's quota where none is set: 2 GiB. */
const defaultQuotaBytes = 2 * 1024 * 1024 * 1024;

export function maintenanceMethods(member: Member, options: MaintenanceOptions): readonly RpcMethod[] {
  return [statusMethod(member, options), hashKvMethod(member), alarmMethod(member), moveLeaderMethod(member)];
}

function statusMethod(
  member: Member,
  options: MaintenanceOptions,
): UnaryMethod<StatusRequest, StatusResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Maintenance/Status",
    ...generatedCodec(StatusRequest, StatusResponse),
    handle: () => {
      const status = member.status();
      const errors = status.leader === 0n ? [errorText("NoLeader")] : [];
      for (const alarm of member.alarms()) errors.push(`memberID:${alarm.memberId} alarm:${alarm.alarm} `);
      return {
        header: generatedHeader(member),
        version: options.serverVersion,
        dbSize: BigInt(status.storeBytes),
        leader: status.leader,
        raftIndex: BigInt(status.committedIndex),
        raftTerm: BigInt(status.term),
        raftAppliedIndex: BigInt(status.appliedIndex),
        errors,
        dbSizeInUse: BigInt(status.storeBytesInUse),
        isLearner: status.isLearner,
        storageVersion: status.clusterVersion ?? "",
        dbSizeQuota: BigInt(status.quotaBytes === 0 ? defaultQuotaBytes : status.quotaBytes),
        downgradeInfo: { enabled: false, targetVersion: "" },
      };
    },
  };
}

function hashKvMethod(member: Member): UnaryMethod<HashKVRequest, HashKVResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Maintenance/HashKV",
    ...generatedCodec(HashKVRequest, HashKVResponse),
    handle: async (request) => {
      const result = await member.hashKv(Number(request.revision));
      return {
        header: generatedHeader(member),
        hash: result.hash,
        compactRevision: BigInt(result.compactRevision),
        hashRevision: BigInt(result.hashRevision),
      };
    },
  };
}

function alarmMethod(member: Member): UnaryMethod<AlarmRequest, AlarmResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Maintenance/Alarm",
    ...generatedCodec(AlarmRequest, AlarmResponse),
    handle: async (request, call) => {
      const body = AlarmRequest.encode(request).finish();
      const result = await member.propose(RequestField.Alarm, body, call);
      assert(result.kind === "alarm", "an alarm request is answered by alarms");
      return { header: generatedHeader(member), alarms: result.alarms.map(wireAlarm) };
    },
  };
}

function wireAlarm(alarm: AlarmInfo): { memberID: bigint; alarm: AlarmType } {
  return {
    memberID: alarm.memberId,
    alarm: alarm.alarm === "NOSPACE" ? AlarmType.NOSPACE : AlarmType.CORRUPT,
  };
}

function moveLeaderMethod(member: Member): UnaryMethod<MoveLeaderRequest, MoveLeaderResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Maintenance/MoveLeader",
    ...generatedCodec(MoveLeaderRequest, MoveLeaderResponse),
    handle: async (request, call) => {
      if (member.leader !== member.memberId) throw storeError("NotLeader");
      await member.moveLeader(request.targetID, call);
      return { header: undefined };
    },
  };
}
