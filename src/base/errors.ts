/**
 * Expected failures. One class over a union of details: whoever handles one switches over `detail.code`, and
 * the table in api/error-table.ts gives each code its gRPC status and etcd's text. What is not expected is an
 * `AssertionError`.
 */
export type ErrorDetail =
  | { readonly code: PlainErrorCode }
  /** A message of ours where etcd has none; `status` is the gRPC status that a client sees. */
  | { readonly code: "Other"; readonly status: OtherStatus; readonly text: string };

/** Failures that etcd names; text and gRPC status are in facts of etcd 3.7 (see api/error-table.ts). */
export type PlainErrorCode =
  | "EmptyKey"
  | "KeyNotFound"
  | "ValueProvided"
  | "LeaseProvided"
  | "TooManyOps"
  | "DuplicateKey"
  | "InvalidClientAPIVersion"
  | "InvalidSortOption"
  | "Compacted"
  | "FutureRev"
  | "NoSpace"
  | "LeaseNotFound"
  | "LeaseExist"
  | "LeaseTTLTooLarge"
  | "WatchCanceled"
  | "MemberExist"
  | "PeerURLExist"
  | "MemberNotEnoughStarted"
  | "MemberBadURLs"
  | "MemberNotFound"
  | "MemberNotLearner"
  | "LearnerNotReady"
  | "TooManyLearners"
  | "ClusterIDMismatch"
  | "RequestTooLarge"
  | "RequestTooManyRequests"
  | "RootUserNotExist"
  | "RootRoleNotExist"
  | "UserAlreadyExist"
  | "UserEmpty"
  | "UserNotFound"
  | "RoleAlreadyExist"
  | "RoleNotFound"
  | "RoleEmpty"
  | "AuthFailed"
  | "PermissionNotGiven"
  | "PermissionDenied"
  | "RoleNotGranted"
  | "PermissionNotGranted"
  | "AuthNotEnabled"
  | "InvalidAuthToken"
  | "InvalidAuthMgmt"
  | "AuthOldRevision"
  | "NoLeader"
  | "NotLeader"
  | "LeaderChanged"
  | "NotCapable"
  | "Stopped"
  | "Timeout"
  | "TimeoutDueToLeaderFail"
  | "TimeoutDueToConnectionLost"
  | "TimeoutWaitAppliedIndex"
  | "Unhealthy"
  | "Corrupt"
  | "NotSupportedForLearner"
  | "BadLeaderTransferee"
  | "WrongDowngradeVersionFormat"
  | "InvalidDowngradeTargetVersion"
  | "ClusterVersionUnavailable"
  | "DowngradeInProcess"
  | "NoInflightDowngrade"
  | "Canceled"
  | "DeadlineExceeded";

export type OtherStatus =
  | "InvalidArgument"
  | "Unimplemented"
  | "Internal"
  | "Unavailable"
  | "FailedPrecondition"
  | "DataLoss";

export class StoreError extends Error {
  override readonly name = "StoreError";
  constructor(readonly detail: ErrorDetail) {
    super(detail.code === "Other" ? detail.text : detail.code);
  }
}

/** The failure that etcd calls `code`. */
export function storeError(code: PlainErrorCode): StoreError {
  return new StoreError({ code });
}

/** True where `error` is the expected failure `code`. */
export function isStoreError(error: unknown, code: ErrorDetail["code"]): error is StoreError {
  return error instanceof StoreError && error.detail.code === code;
}

/**
 * Something on disk is not what was written there. Never repaired by guessing: the process stops (or does not
 * start) and the text says which file, where, and what the operator can do.
 */
export class DamageError extends Error {
  override readonly name = "DamageError";
}
