/**
 * Every bound of the house with its reason. Flags that change one say so.
 */
const kib = 1024;
const mib = 1024 * kib;

export const limits = {
  /** Largest client request, etcd's --max-request-bytes default: 1.5 MiB. */
  requestBytesMax: 1.5 * mib,
  /** gRPC frames may exceed a request by protobuf overhead; etcd allows 512 KiB. */
  requestOverheadBytesMax: 512 * kib,
  /** Operations in one transaction, nested ones counted: etcd's --max-txn-ops default. */
  txnOpsMax: 128,
  /** Nesting of transactions: decode and apply recurse; etcd's protobuf library stops at 10,000, no client uses more than a few. */
  txnDepthMax: 64,
  /** Entries proposed but not yet applied on a member; etcd's maxGapBetweenApplyAndCommitIndex. */
  applyGapMax: 5_000,
  /** Bytes of one Raft append message: enough to fill a 64 KiB socket buffer many times, small enough not to delay heartbeats. */
  appendMessageBytesMax: 512 * kib,
  /** Append messages in flight to one follower; etcd's maxInflightMsgs. */
  inflightMessagesMax: 512,
  /** Bytes in flight to one follower: two seconds of a 1 Gbit/s link are out of reach of one event loop; 64 MiB bounds memory. */
  inflightBytesMax: 64 * mib,
  /** Bytes of uncommitted proposals on a leader, before it answers "too many requests". */
  uncommittedBytesMax: 256 * mib,
  /** Bytes of committed entries handed to apply at once: keeps one synchronous apply step below about 10 ms. */
  applyBatchBytesMax: 1 * mib,
  /** Stored revisions are packed in blocks of up to this size (design.md section 6). */
  blockBytesMax: 64 * kib,
  /** Decoded blocks kept in memory for reads. */
  blockCacheBytesMax: 64 * mib,
  /** Bytes of revisions in memory that LevelDB does not hold yet; above it apply waits. */
  pendingRevisionBytesMax: 64 * mib,
  /** Preallocated size of a segment of the Raft log; etcd's SegmentSizeBytes. */
  walSegmentBytes: 64 * mib,
  /** Messages waiting for one peer. Raft repeats what is dropped. */
  peerQueueMessagesMax: 4_096,
  /** Bytes waiting for one peer. */
  peerQueueBytesMax: 64 * mib,
  /** One chunk of a streamed store snapshot. */
  snapshotChunkBytes: 256 * kib,
  /** A synchronous step of a sliced job (range, compaction, hash) looks at most at this many keys before it yields. */
  sliceKeysMax: 2_000,
  /** …or at most at this many bytes. */
  sliceBytesMax: 2 * mib,
} as const;
