/** `-w protobuf`: the bytes of the answer, with nothing around them. */
import {
  AlarmResponse,
  DeleteRangeResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  TxnResponse,
  WatchResponse,
} from "../../gen/etcdserver.js";
import { Event_EventType } from "../../gen/kv.js";
import type { Render } from "./printer.js";

export const renderProtobuf: Render = (item) => {
  switch (item.kind) {
    case "get":
      return RangeResponse.encode(item.response).finish();
    case "put":
      return PutResponse.encode(item.response).finish();
    case "del":
      return DeleteRangeResponse.encode(item.response).finish();
    case "txn":
      return TxnResponse.encode(item.response).finish();
    case "memberList":
      return MemberListResponse.encode(item.response).finish();
    case "memberAdd":
      return MemberAddResponse.encode(item.response).finish();
    case "memberRemove":
      return MemberRemoveResponse.encode(item.response).finish();
    case "memberUpdate":
      return MemberUpdateResponse.encode(item.response).finish();
    case "memberPromote":
      return MemberPromoteResponse.encode(item.response).finish();
    case "moveLeader":
      return MoveLeaderResponse.encode(item.response).finish();
    case "alarm":
      return AlarmResponse.encode(item.response).finish();
    case "watch": {
      const { events, ...answer } = item.answer;
      return WatchResponse.encode(
        WatchResponse.create({
          header: answer.header,
          compactRevision: answer.compactRevision,
          canceled: answer.canceled,
          events: events.map(({ type, kv, prevKv }) => ({
            type: type === "delete" ? Event_EventType.DELETE : Event_EventType.PUT,
            kv,
            prevKv,
          })),
        }),
      ).finish();
    }
    // Go's client keeps the rest of these answers beside the message that it can encode, which is the header.
    case "leaseGrant":
    case "leaseKeepAlive":
    case "leaseTimeToLive":
    case "leaseList":
      return ResponseHeader.encode(item.response.header ?? ResponseHeader.create()).finish();
    case "leaseRevoke":
      return undefined;
    case "endpointHealth":
    case "endpointStatus":
    case "endpointHashKv":
      return undefined;
  }
};
