/** The public TypeScript client of quorate; works with every etcd v3 server. */

export type {
  CampaignResponse,
  LeaderKey,
  LeaderResponse,
  ProclaimResponse,
  ResignResponse,
} from "../gen/election.js";
export type {
  AlarmMember,
  AlarmResponse,
  CompactionResponse,
  Compare,
  DefragmentResponse,
  DeleteRangeResponse,
  HashKVResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
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
export type { LockResponse, UnlockResponse } from "../gen/lock.js";
export type { BytesLike, IntegerLike, RangeOptions } from "./bytes.js";
export { prefixEnd } from "./bytes.js";
export { connect, type QuorateClient } from "./client.js";
export type { Cluster } from "./cluster.js";
export { GrpcCode, grpcCodeName, isClientError, QuorateClientError, WatchCanceledError } from "./errors.js";
export { type KeepAliveOptions, type KeptLease, LeaseLostError } from "./kept-lease.js";
export type { CompactOptions, Kv } from "./kv.js";
export type { GrantOptions, Leases } from "./lease.js";
export type { ElectionService, LockService } from "./lock-services.js";
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
export type { Watches, WatchOptions } from "./watch.js";
export type { WatchBatch, WatchEvent, Watcher } from "./watcher.js";
