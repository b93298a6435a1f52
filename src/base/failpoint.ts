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
  "raftAfterSaveSnap",
  "raftBeforeApplySnap",
  "raftAfterApplySnap",
  "raftAfterWALRelease",
  "raftBeforeAdvance",
  "applyBeforeOpenSnapshot",
  "beforeApplyOneConfChange",
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
  "compactBeforeCommitBatch",
  "compactAfterCommitBatch",
  "compactBeforeSetFinishedCompact",
  "compactAfterSetFinishedCompact",
  "defragBeforeCopy",
  "defragBeforeRename",
  "beforeSendWatchResponse",
] as const;

export type FailpointName = (typeof failpointNames)[number];

/** Runs when the place is reached. It may throw, stop the process, or block; its result is the `return` term's value. */
export type FailpointAction = () => string | undefined;

/** Set by server/failpoints.ts from GOFAIL_FAILPOINTS and GOFAIL_HTTP, and by the simulator. */
export const failpoints: { [Name in FailpointName]?: FailpointAction | undefined } = {};
