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
  TxnResponse,
} from "../../gen/etcdserver.js";
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
    case "endpointHealth":
    case "endpointStatus":
    case "endpointHashKv":
      return undefined;
  }
};
