/** The public TypeScript client of quorate; works with every etcd v3 server. */
export type {
  AlarmMember,
  AlarmResponse,
  CompactionResponse,
  Compare,
  DefragmentResponse,
  DeleteRangeResponse,
  HashKVResponse,
  Member,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
  PutResponse,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  SnapshotResponse,
  StatusResponse,
  TxnResponse,
} from "../gen/etcdserver.js";
export { AlarmType } from "../gen/etcdserver.js";
export type { KeyValue } from "../gen/kv.js";
export type { BytesLike, IntegerLike, RangeOptions } from "./bytes.js";
export { prefixEnd } from "./bytes.js";
export { connect, type QuorateClient } from "./client.js";
export type { Cluster } from "./cluster.js";
export { GrpcCode, grpcCodeName, isClientError, QuorateClientError } from "./errors.js";
export type { CompactOptions, Kv } from "./kv.js";
export type { Maintenance } from "./maintenance.js";
export {
  type CompareOperator,
  compare,
  type DeleteOptions,
  del,
  type GetOptions,
  get,
  type PutOptions,
  put,
} from "./operation.js";
export type {
  AuthOptions,
  CallOptions,
  ConnectOptions,
  EndpointCallOptions,
  TimeoutOptions,
  TlsOptions,
} from "./options.js";
export type { TxnBuilder } from "./txn.js";
