/** One table: what each expected failure is called on the wire. Facts of etcd 3.7 (api/v3rpc/rpctypes). */
import { type OtherStatus, type PlainErrorCode, StoreError } from "../base/errors.js";
import { ProtoError } from "../base/protowire.js";
import { RpcStatus, StatusCode } from "../transport/rpc.js";

type Row = readonly [status: keyof typeof StatusCode, text: string];

const table: Readonly<Record<PlainErrorCode, Row>> = {
  EmptyKey: ["InvalidArgument", "etcdserver: key is not provided"],
  KeyNotFound: ["InvalidArgument", "etcdserver: key not found"],
  ValueProvided: ["InvalidArgument", "etcdserver: value is provided"],
  LeaseProvided: ["InvalidArgument", "etcdserver: lease is provided"],
  TooManyOps: ["InvalidArgument", "etcdserver: too many operations in txn request"],
  DuplicateKey: ["InvalidArgument", "etcdserver: duplicate key given in txn request"],
  InvalidClientAPIVersion: ["InvalidArgument", "etcdserver: invalid client api version"],
  InvalidSortOption: ["InvalidArgument", "etcdserver: invalid sort option"],
  Compacted: ["OutOfRange", "etcdserver: mvcc: required revision has been compacted"],
  FutureRev: ["OutOfRange", "etcdserver: mvcc: required revision is a future revision"],
  NoSpace: ["ResourceExhausted", "etcdserver: mvcc: database space exceeded"],
  LeaseNotFound: ["NotFound", "etcdserver: requested lease not found"],
  LeaseExist: ["FailedPrecondition", "etcdserver: lease already exists"],
  LeaseTTLTooLarge: ["OutOfRange", "etcdserver: too large lease TTL"],
  WatchCanceled: ["Canceled", "etcdserver: watch canceled"],
  MemberExist: ["FailedPrecondition", "etcdserver: member ID already exist"],
  PeerURLExist: ["FailedPrecondition", "etcdserver: Peer URLs already exists"],
  MemberNotEnoughStarted: [
    "FailedPrecondition",
    "etcdserver: re-configuration failed due to not enough started members",
  ],
  MemberBadURLs: ["InvalidArgument", "etcdserver: given member URLs are invalid"],
  MemberNotFound: ["NotFound", "etcdserver: member not found"],
  MemberNotLearner: ["FailedPrecondition", "etcdserver: can only promote a learner member"],
  LearnerNotReady: [
    "FailedPrecondition",
    "etcdserver: can only promote a learner member which is in sync with leader",
  ],
  TooManyLearners: ["FailedPrecondition", "etcdserver: too many learner members in cluster"],
  ClusterIDMismatch: ["FailedPrecondition", "etcdserver: cluster ID mismatch"],
  RequestTooLarge: ["InvalidArgument", "etcdserver: request is too large"],
  RequestTooManyRequests: ["ResourceExhausted", "etcdserver: too many requests"],
  RootUserNotExist: ["FailedPrecondition", "etcdserver: root user does not exist"],
  RootRoleNotExist: ["FailedPrecondition", "etcdserver: root user does not have root role"],
  UserAlreadyExist: ["FailedPrecondition", "etcdserver: user name already exists"],
  UserEmpty: ["InvalidArgument", "etcdserver: user name is empty"],
  UserNotFound: ["FailedPrecondition", "etcdserver: user name not found"],
  RoleAlreadyExist: ["FailedPrecondition", "etcdserver: role name already exists"],
  RoleNotFound: ["FailedPrecondition", "etcdserver: role name not found"],
  RoleEmpty: ["InvalidArgument", "etcdserver: role name is empty"],
  AuthFailed: ["InvalidArgument", "etcdserver: authentication failed, invalid user ID or password"],
  PermissionNotGiven: ["InvalidArgument", "etcdserver: permission not given"],
  PermissionDenied: ["PermissionDenied", "etcdserver: permission denied"],
  RoleNotGranted: ["FailedPrecondition", "etcdserver: role is not granted to the user"],
  PermissionNotGranted: ["FailedPrecondition", "etcdserver: permission is not granted to the role"],
  AuthNotEnabled: ["FailedPrecondition", "etcdserver: authentication is not enabled"],
  InvalidAuthToken: ["Unauthenticated", "etcdserver: invalid auth token"],
  InvalidAuthMgmt: ["InvalidArgument", "etcdserver: invalid auth management"],
  AuthOldRevision: ["InvalidArgument", "etcdserver: revision of auth store is old"],
  NoLeader: ["Unavailable", "etcdserver: no leader"],
  NotLeader: ["FailedPrecondition", "etcdserver: not leader"],
  LeaderChanged: ["Unavailable", "etcdserver: leader changed"],
  NotCapable: ["FailedPrecondition", "etcdserver: not capable"],
  Stopped: ["Unavailable", "etcdserver: server stopped"],
  Timeout: ["Unavailable", "etcdserver: request timed out"],
  TimeoutDueToLeaderFail: [
    "Unavailable",
    "etcdserver: request timed out, possibly due to previous leader failure",
  ],
  TimeoutDueToConnectionLost: [
    "Unavailable",
    "etcdserver: request timed out, possibly due to connection lost",
  ],
  TimeoutWaitAppliedIndex: [
    "Unavailable",
    "etcdserver: request timed out, waiting for the applied index took too long",
  ],
  Unhealthy: ["Unavailable", "etcdserver: unhealthy cluster"],
  Corrupt: ["DataLoss", "etcdserver: corrupt cluster"],
  NotSupportedForLearner: ["FailedPrecondition", "etcdserver: rpc not supported for learner"],
  BadLeaderTransferee: ["FailedPrecondition", "etcdserver: bad leader transferee"],
  WrongDowngradeVersionFormat: ["InvalidArgument", "etcdserver: wrong downgrade target version format"],
  InvalidDowngradeTargetVersion: ["InvalidArgument", "etcdserver: invalid downgrade target version"],
  ClusterVersionUnavailable: ["FailedPrecondition", "etcdserver: cluster version not found during downgrade"],
  DowngradeInProcess: ["FailedPrecondition", "etcdserver: cluster has a downgrade job in progress"],
  NoInflightDowngrade: ["FailedPrecondition", "etcdserver: no inflight downgrade job"],
  Canceled: ["Canceled", "etcdserver: request canceled"],
  DeadlineExceeded: ["DeadlineExceeded", "etcdserver: context deadline exceeded"],
};

const otherStatuses: Readonly<Record<OtherStatus, StatusCode>> = {
  InvalidArgument: StatusCode.InvalidArgument,
  Unimplemented: StatusCode.Unimplemented,
  Internal: StatusCode.Internal,
  Unavailable: StatusCode.Unavailable,
  FailedPrecondition: StatusCode.FailedPrecondition,
  DataLoss: StatusCode.DataLoss,
};

/** etcd's text for a failure, without the status. */
export function errorText(code: PlainErrorCode): string {
  return table[code][1];
}

/**
 * Runs a handler of a service that in etcd is a client of its own server: whatever failed there, its text arrives
 * with the status Unknown.
 */
export async function asUnknown<Answer>(handle: () => Promise<Answer>): Promise<Answer> {
  try {
    return await handle();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { detail } = error;
    throw new RpcStatus(StatusCode.Unknown, detail.code === "Other" ? detail.text : errorText(detail.code));
  }
}

/**
 * The status that a client sees. What is neither expected nor a status is our bug: the client learns that much,
 * and `onUnexpected` gets the error for the log.
 */
export function toRpcStatus(error: unknown, onUnexpected: (error: unknown) => void): RpcStatus {
  if (error instanceof RpcStatus) return error;
  if (error instanceof StoreError) {
    const { detail } = error;
    if (detail.code === "Other") return new RpcStatus(otherStatuses[detail.status], detail.text);
    const [status, text] = table[detail.code];
    return new RpcStatus(StatusCode[status], text);
  }
  if (error instanceof ProtoError) return new RpcStatus(StatusCode.Internal, `grpc: ${error.message}`);
  onUnexpected(error);
  return new RpcStatus(StatusCode.Unknown, "etcdserver: internal error");
}
