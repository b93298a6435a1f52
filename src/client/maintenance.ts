/** The Maintenance service: one member's state, its disk, alarms, leadership. */
import {
  type AlarmMember,
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmResponse,
  AlarmType,
  DefragmentRequest,
  DefragmentResponse,
  HashKVRequest,
  HashKVResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  SnapshotRequest,
  SnapshotResponse,
  StatusRequest,
  StatusResponse,
} from "../gen/etcdserver.js";
import type { IntegerLike } from "./bytes.js";
import type { Connection } from "./connection.js";
import { clientMethod } from "./method.js";
import type { CallOptions, EndpointCallOptions } from "./options.js";

const service = "/etcdserverpb.Maintenance";
const alarmListMethod = clientMethod(`${service}/Alarm`, "read", AlarmRequest, AlarmResponse);
const alarmDisarmMethod = clientMethod(`${service}/Alarm`, "write", AlarmRequest, AlarmResponse);
const statusMethod = clientMethod(`${service}/Status`, "read", StatusRequest, StatusResponse);
const hashKvMethod = clientMethod(`${service}/HashKV`, "read", HashKVRequest, HashKVResponse);
const defragmentMethod = clientMethod(
  `${service}/Defragment`,
  "write",
  DefragmentRequest,
  DefragmentResponse,
);
const moveLeaderMethod = clientMethod(
  `${service}/MoveLeader`,
  "write",
  MoveLeaderRequest,
  MoveLeaderResponse,
);
const snapshotMethod = clientMethod(`${service}/Snapshot`, "read", SnapshotRequest, SnapshotResponse);

export class Maintenance {
  constructor(private readonly connection: Connection) {}

  /** Version, sizes, leader and Raft position of one member; answered also without a leader. */
  status(options: EndpointCallOptions = {}): Promise<StatusResponse> {
    return this.connection.unary(statusMethod, {}, options);
  }

  /** The hash of one member's history up to `revision` (0: all): equal on members with equal data. */
  hashKv(revision: IntegerLike = 0, options: EndpointCallOptions = {}): Promise<HashKVResponse> {
    return this.connection.unary(hashKvMethod, { revision: BigInt(revision) }, options);
  }

  /** The alarms that are on, of all members. */
  alarmList(options: CallOptions = {}): Promise<AlarmResponse> {
    const request = { action: AlarmRequest_AlarmAction.GET, memberID: 0n, alarm: AlarmType.NONE };
    return this.connection.unary(alarmListMethod, request, options);
  }

  /**
   * Switches one alarm off; without `member`, every one that is on, one after the other: then `alarms` of the
   * answer has them all, and there is no header, as there may have been no call to take it from.
   */
  async alarmDisarm(member?: AlarmMember, options: CallOptions = {}): Promise<AlarmResponse> {
    if (member !== undefined) {
      const request = { ...member, action: AlarmRequest_AlarmAction.DEACTIVATE };
      return this.connection.unary(alarmDisarmMethod, request, options);
    }
    const disarmed: AlarmMember[] = [];
    for (const alarm of (await this.alarmList(options)).alarms) {
      disarmed.push(...(await this.alarmDisarm(alarm, options)).alarms);
    }
    return { header: undefined, alarms: disarmed };
  }

  /** Hands leadership to the member `target`. Only the leader takes the call. Errors: NotLeader, BadLeaderTransferee. */
  moveLeader(target: bigint, options: EndpointCallOptions = {}): Promise<MoveLeaderResponse> {
    return this.connection.unary(moveLeaderMethod, { targetID: target }, options);
  }

  /** Gives free space of one member's store back to its file system. */
  defragment(options: EndpointCallOptions = {}): Promise<DefragmentResponse> {
    return this.connection.unary(defragmentMethod, {}, options);
  }

  /**
   * One member's whole store as it is now, in pieces. The last 32 bytes of all `blob`s in a row are the SHA-256
   * of what is before them; `remainingBytes` counts down to 0.
   */
  snapshot(options: EndpointCallOptions = {}): AsyncIterable<SnapshotResponse> {
    return this.connection.serverStream(snapshotMethod, {}, options);
  }
}
