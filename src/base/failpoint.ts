/**
 * Named places where a test may make the process crash, sleep or fail, by etcd's gofail protocol. An unset
 * failpoint costs one property read: `if (failpoints.walBeforeSync !== undefined) …`.
 */
export const failpointNames = [
  "raftBeforeSave",
  "walBeforeSync",
  "walAfterSync",
  "raftAfterSave",
  "raftBeforeLeaderSend",
  "raftBeforeFollowerSend",
  "raftBeforeSaveSnap",
  "raftBeforeWALSaveSnaphot",
  "raftAfterSaveSnap",
  "raftBeforeApplySnap",
  "raftAfterApplySnap",
  "raftAfterWALRelease",
  "raftBeforeAdvance",
  "raftDropHeartbeat",
  "applyBeforeOpenSnapshot",
  "applyAfterOpenSnapshot",
  "beforeApplyOneEntryNormal",
  "beforeApplyOneConfChange",
  "beforePublishing",
  "beforeCommit",
  "afterCommit",
  "beforeStartDBTxn",
  "afterStartDBTxn",
  "commitBeforePreCommitHook",
  "commitAfterPreCommitHook",
  "beforeWritebackBuf",
  "afterWritebackBuf",
  "compactBeforeCommitScheduledCompact",
  "compactAfterCommitScheduledCompact",
  "compactAfterAcquiredBatchTxLock",
  "compactBeforeCommitBatch",
  "compactAfterCommitBatch",
  "compactBeforeSetFinishedCompact",
  "compactAfterSetFinishedCompact",
  "defragBeforeCopy",
  "defragdbFail",
  "defragBeforeRename",
  "beforeSendWatchResponse",
  "beforeRangeStreamChunk",
  "beforeCheckpointInLeaseRenew",
  "beforeServeHTTPLeaseRenew",
  "beforeLookupWhenLeaseTimeToLive",
  "beforeLookupWhenForwardLeaseTimeToLive",
] as const;

export type FailpointName = (typeof failpointNames)[number];

/** Runs when the place is reached. It may throw, stop the process, or block; its result is the `return` term's value. */
export type FailpointAction = () => string | undefined;

/** Set by server/failpoints.ts from GOFAIL_FAILPOINTS and GOFAIL_HTTP, and by the simulator. */
export const failpoints: { [Name in FailpointName]?: FailpointAction | undefined } = {};
