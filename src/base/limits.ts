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
  /** Nesting of transactions: decoding and applying recurse. etcd, with --max-txn-ops 128, takes 128 below the outermost. */
  txnDepthMax: 129,
  /** Entries proposed but not yet applied on a member; etcd's maxGapBetweenApplyAndCommitIndex. */
  applyGapMax: 5_000,
  /** Requests of clients that wait for one member: at 1 KB each, 100 MB at the worst. */
  waitingRequestsMax: 100_000,
  /** Requests that come while the oldest one waits: at 100,000 a second it is given up before; 8 MB of places. */
  waitPlacesMax: 1_048_576,
  /** Bytes of one Raft append message: enough to fill a 64 KiB socket buffer many times, small enough not to delay heartbeats. */
  appendMessageBytesMax: 512 * kib,
  /** Append messages in flight to one follower; etcd's maxInflightMsgs. */
  inflightMessagesMax: 512,
  /** Bytes in flight to one follower: two seconds of a 1 Gbit/s link are out of reach of one event loop; 64 MiB bounds memory. */
  inflightBytesMax: 64 * mib,
  /** Linearizable reads that wait on a leader; a member keeps one or two on their way, so this is a thousand members. */
  pendingReadsMax: 4_096,
  /** Bytes of uncommitted proposals on a leader, before it answers "too many requests". */
  uncommittedBytesMax: 256 * mib,
  /** Bytes of committed entries handed to apply at once: keeps one synchronous apply step below about 10 ms. */
  applyBatchBytesMax: 1 * mib,
  /**
   * Newest entries of the log that are kept as they came, or those of the last append where they are more: what is applied
   * and sent while all is well. V8 copies each of them twice when it collects garbage, so they are few.
   */
  logEntriesUnpacked: 64,
  /** Older entries are packed in pieces of memory of this size. */
  logPageBytes: 256 * kib,
  /** Dropped pieces kept for the next entries: what 10,000 entries of 400 bytes take, the cut of --snapshot-count. */
  logPagesSpare: 16,
  /** Stored revisions are packed in blocks of up to this size (design.md section 6). */
  blockBytesMax: 64 * kib,
  /** Blocks that were read are kept in memory, until nobody reads them for half a minute: a million pairs of 256 bytes fit. */
  blockCacheBytesMax: 512 * mib,
  /** …and at most this part of the memory that the machine or its container has. */
  blockCacheMemoryPart: 1 / 8,
  /** Applied bytes that start a flush to LevelDB at once; less waits for the next heartbeat, so that blocks fill. */
  flushBytes: 1 * mib,
  /** Values that wait for a flush are gathered in pieces of memory of this size. */
  pendingPageBytes: 64 * kib,
  /** Those kept for the next values: what a flush of `flushBytes` gives back. */
  pendingPagesSpare: 16,
  /** Blocks that a pass over the store (scan, compaction, image) takes from LevelDB at once: one crossing, about 1 ms of checking and repacking. */
  blockReadBytesMax: 512 * kib,
  /** Revisions written to LevelDB in one batch, where there is a choice: about 2 ms of packing, checking and copying. */
  storeBatchBytesMax: 1 * mib,
  /** LevelDB's memtable and log: up to two in memory; larger means fewer table files that overlap. */
  storeWriteBufferBytes: 4 * mib,
  /** New bytes in memory after which an idle member collects garbage: below it there is little to win. */
  idleGarbageBytesMin: 8 * mib,
  /** …and one that has been idle for 7.5 s: no more often than that, so that a few requests a second pay little for it. */
  quietGarbageBytesMin: 2 * mib,
  /** JavaScript heap above which it does not: the pause would exceed about 0.2 s. */
  idleCollectHeapBytesMax: 512 * mib,
  /** One table file of LevelDB: a store of 8 GiB is 1,000 files, as many as LevelDB maps into memory. */
  storeFileBytes: 8 * mib,
  /** Blocks that were read at start, above which their files are opened anew (about 10 ms) to leave memory. */
  storeMappedBytesMin: 16 * mib,
  /** Dead bytes on disk, beyond as much as the live ones, before a compaction makes LevelDB drop them. */
  storeGarbageBytesMax: 64 * mib,
  /** LevelDB reclaims this much live data at a time, so that its memtable is not kept waiting for long. */
  storeReclaimBytes: 64 * mib,
  /** A small state record's key; the longest holds a user's name. */
  stateKeyBytesMax: 4 * kib,
  /** One record of an incoming store image: above the largest request that a flag can allow, below what breaks a Buffer. */
  imageRecordBytesMax: 512 * mib,
  /** Bytes of revisions in memory that LevelDB does not hold yet; above it apply waits. */
  pendingRevisionBytesMax: 64 * mib,
  /** Preallocated size of a segment of the Raft log. A start reads and checks them all: 5 ms a MiB; etcd has 64 MiB. */
  walSegmentBytes: 8 * mib,
  /** Step in which space of a segment is placed on disk: 0.3 ms of zeros in one sync; 1 MiB costs 4 ms (measured). */
  walFillBytes: 256 * kib,
  /** Space of the first segment that is placed when a log is created: seconds of load, without all of it for an idle member. */
  walFirstFillBytes: 8 * mib,
  /** Memory for building writes that is kept between them; a larger batch gets its own. */
  walBufferKeptBytesMax: 4 * mib,
  /** Messages waiting for one peer. Raft repeats what is dropped. */
  peerQueueMessagesMax: 4_096,
  /** Bytes waiting for one peer. */
  peerQueueBytesMax: 64 * mib,
  /** Largest frame on a peer link: a batch of messages of one turn, or one entry of the largest request. */
  peerFrameBytesMax: 512 * mib,
  /** Peers that are answered before the list of members tells of them: they are added one by one, so more are not real. */
  peerVisitorsMax: 16,
  /** Characters of the peer URLs that a peer names of itself: a dozen long ones. */
  peerUrlsCharactersMax: 2_048,
  /** First pause before a peer is dialed again, ms; doubled at each failure. */
  peerRetryMsMin: 50,
  /** Longest pause before a peer is dialed again, ms: a member that comes back is found within about its election timeout. */
  peerRetryMsMax: 1_000,
  /** Entries kept beyond --snapshot-catchup-entries for a follower that takes an image of the store: a minute of heavy writing. */
  imageCatchUpBytesMax: 256 * mib,
  /** One chunk of a streamed store snapshot. */
  snapshotChunkBytes: 256 * kib,
  /** Memory in which a long range answer is encoded, piece by piece: four full frames. */
  answerPieceBytes: 64 * kib,
  /** Such pieces that wait for the next answer: 4 MiB, what a dozen clients have under way that read pages of 1,000 keys. */
  answerPiecesKept: 64,
  /**
   * At start the key index takes this many revisions at once, in order of keys: 0.4 s, and up to 70 MiB for that time.
   * What goes beyond is taken in further runs, which cost twice as much.
   */
  restoreRunRevisions: 1024 * 1024,
  /** A synchronous step of a sliced job (range, compaction, hash) looks at most at this many keys before it yields. */
  sliceKeysMax: 2_000,
  /** …or at most at this many bytes. */
  sliceBytesMax: 2 * mib,
  /** …or until it took this much from disk: about 10 ms to read and to check. */
  sliceLoadedBytesMax: 4 * mib,

  // lease
  /** Longest time to live in seconds that can be granted; etcd's MaxLeaseTTL. */
  leaseTtlSecondsMax: 9_000_000_000,
  /** Leases that one tick looks at because they ended or are to be checkpointed: about 5 ms. The rest waits for the next. */
  leaseWakesPerTickMax: 10_000,
  /** Leases that begin to count at one tick: under 10 ms after a change of leader; the others live a tick longer. */
  leaseStartsPerTickMax: 10_000,
  /** Ends of leases proposed in one turn: about 4 ms to apply, so that puts are not kept waiting. */
  leaseRevokesPerTurnMax: 256,
  /** Ends of leases in the log that are not applied: keeps the log busy while the disk works. */
  leaseRevokesInFlightMax: 2_048,
  /** An end of a lease that could not be applied (CORRUPT alarm) is tried again after this, ms. */
  leaseRevokeRetryMs: 5_000,
  /** Checkpoints that begin at one tick: about 2 KiB of log, and 1 ms to apply and to store. */
  leaseCheckpointsPerTickMax: 100,
  /** Checkpoints written when leadership is handed over: one entry of about 150 KiB. */
  leaseHandOverCheckpointsMax: 10_000,
  /** Longest time between two checkpoints of a lease, ms; etcd's defaultLeaseCheckpointInterval. */
  leaseCheckpointMsMax: 300_000,
  /** Shortest: they count in seconds. */
  leaseCheckpointMsMin: 1_000,
  /** Keep-alives that travel to the leader in one call: about 100 KiB. */
  renewalsPerCallMax: 4_096,
  /** Such calls on their way at once; the next ones gather. */
  renewalCallsMax: 64,
  /** Batches of events that wait for a reader inside the server (lock, election); more stay history. */
  keyEventsWaitingMax: 16,
  /** Keep-alives of one stream that are under way at once; the next is read when one is answered. */
  keepAlivesPerStreamMax: 1_024,

  // transport/http2
  /** Open connections of one listener: below the usual 65,536 descriptors of a service, with room for files. */
  connectionsMax: 32_768,
  /** TLS handshake, HTTP/2 preface with SETTINGS, a header block, HTTP/1.1 headers: a client that needs longer (ms) is stuck or hostile. */
  handshakeTimeoutMs: 10_000,
  /** How long (ms) a connection that we ended may stay for its last bytes to arrive. */
  closeLingerMs: 500,
  /** Streams of one connection, whatever --max-concurrent-streams says: a quiet one takes about 1 KB. */
  connectionStreamsMax: 65_536,
  /** Decoded size of a header list, as HTTP/2 counts it. Tokens and certificates' names fit many times. */
  headerListBytesMax: 64 * kib,
  /** Size of a header block before it is decoded; never larger than what it decodes to, unless it is padded by design. */
  headerBlockBytesMax: 64 * kib,
  /** Frames of one header block: four of 16 KiB are enough for the largest; clients that send small ones get some more. */
  continuationFramesMax: 32,
  /** Header blocks whose meaning is kept, per connection: clients use few methods. */
  headerBlocksCached: 64,
  /** Larger blocks carry something that differs each time. */
  headerBlockCachedBytesMax: 256,
  /** First window of a stream: a round trip of 1 ms at 1 Gbit/s needs 125 KB; most requests fit without an update. */
  streamWindowBytes: 1 * mib,
  /** Window of a connection; given back as data arrives. */
  connectionWindowBytes: 4 * mib,
  /** Data of one connection that no handler has taken: 100 requests of the largest size at once. */
  connectionReceiveBytesMax: 256 * mib,
  /** Data that waits for one connection's peer: no new streams above it. A few of the largest answers. */
  connectionSendBytesMax: 256 * mib,
  /** Data that waits on one stream before its handler is told to wait. */
  streamSendBytesMax: 256 * kib,
  /** Bytes given to a socket in one write: enough for the kernel, small enough to stay responsive. */
  outputFlushBytes: 256 * kib,
  /** Messages of streams do not wait for the end of a turn once there are so many bytes of them: what a core's cache holds with room to spare. */
  outputEarlyFlushBytes: 64 * kib,
  /** How often one looks whether an answer to a ping still waits for an answer to a request that it can leave with, ms: about a turn with its fdatasync. */
  lateFlushMs: 2,
  /** …and how many looks it waits at most, while a request on its connection is in hand or the thread is busy: 20 ms. */
  lateFlushLooksMax: 10,
  /** Pieces at least this large are given to the socket by reference, at 2 µs each; smaller ones are cheaper to copy. */
  outputReferenceBytesMin: 8 * kib,
  /** Buffers of 16 KiB for output: one for each connection that writes in the same turn, up to 4 MiB in all. */
  outputBuffersKept: 256,
  /** Control frames that wait for a peer which does not read: 10,000 of them, then the connection ends. */
  controlBytesMax: 128 * kib,
  /** Streams that we reset and for which frames may still be under way. */
  resetStreamsRemembered: 1_024,
  /** Streams reset before they were answered: a Go client that gives up 5,000 calls at once is well; a flood goes on. */
  streamResetsBurst: 5_000,
  streamResetsPerSecond: 500,
  /** Clients change settings once or twice. */
  settingsBurst: 100,
  settingsPerSecond: 10,
  /** Frames without effect (under 1 µs each): late WINDOW_UPDATEs of busy clients must pass. */
  idleFramesBurst: 20_000,
  idleFramesPerSecond: 10_000,
  /** A message in a received chunk up to this size is never copied out. */
  sharedChunkBytes: 1 * kib,
  /** Messages above this are not compressed: gzip takes about 10 ms for 1 MiB. */
  gzipBytesMax: 512 * kib,
  /** Log lines that wait for a slow reader; some 40,000 lines, more than a crash needs to be explained. */
  logBacklogBytesMax: 8 * mib,
  /** Body of a request to the failpoint server; a term is a few words. */
  failpointTermBytesMax: 64 * kib,
  /** A connection that has not shown which protocol it speaks after this is closed. */
  connectionSniffMs: 10_000,
  /** Largest request of our client: etcd's client default, 2 MiB, above what servers take, so that the server answers. */
  clientSendBytesMax: 2 * mib,
  /** Times that the client sends one repeatable call; etcd's defaultUnaryMaxRetries. */
  clientAttemptsMax: 100,
  /** Pause before the client's next attempt, ms, times the attempt: etcd's defaultBackoffWaitBetween. */
  clientRetryPauseMs: 25,
  /** Pause between dialing one endpoint and the next, ms; RFC 8305 section 8 recommends 250. */
  clientConnectStaggerMs: 250,
  /** Longest pause, ms, before the client opens a broken watch or keep-alive stream again: about an election. */
  clientReopenPauseMsMax: 1_000,
  /** Time, ms, between looks whether the endpoint that a client was moved away from is back: a restart takes less. */
  clientHomeCheckMs: 30_000,
  /** Events that a watch of the client holds for a slow reader; above it they stay in the server's history. */
  clientWatchBacklogBytesMax: 16 * mib,
  /** Times in a row that a stream of the client is opened with a new token, each refused, before it fails. */
  clientTokenRefusalsMax: 3,
  /** Time, ms, in which the first answer for a lease of unknown TTL must come; etcd's client assumes the same TTL. */
  clientLeaseFirstAnswerMs: 5_000,
  /** Watches of one stream: a client with more uses several. Each takes some 260 bytes. */
  streamWatchesMax: 1_000_000,
  /** Requests of one watch stream that are handled in one turn: about 1 ms. */
  watchRequestsPerTurn: 256,
  /** Events that a watch is told in one answer, in bytes of pairs; the revision that exceeds it is the last. Clients of grpc-js take 4 MiB. */
  watchSliceBytes: 256 * kib,
  /** Answers to watches in one step, at 0.5 µs each: whoever is left is served from history, in the next steps, at twice that. */
  watchSendsPerStep: 16_384,
  /** Where a turn told more watches than this, the next one's answers leave before its events: these hold them up by 50 µs a hundred. */
  watchesToldFirstMax: 128,
  /** Revisions that a watch may lag to be served before those that lag more: about one slice. */
  watchNearRevisions: 1_000,
  /** Shortest interval of timed progress notifications, ms; etcd's minWatchProgressInterval. */
  watchProgressMsMin: 100,
  /** Keys made and ended that the key index remembers for counts at older revisions: a scan of all takes about 4 ms. */
  liveJournalEntriesMax: 131_072,
  /** Keys in use of which the key index remembers the place, at 8 bytes each: 2 MiB, in a store with as many in use. */
  keyHintsMax: 262_144,
} as const;
