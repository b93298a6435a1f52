/**
 * A running member as the services see it. api/ and server/ know this interface and nothing behind it.
 */

import type { ApplyResult } from "../apply/result.js";
import type { ClusterId, Index, LeaseId, MemberId, Revision, Term } from "../base/brand.js";
import type { Later } from "../base/later.js";
import type { RangeCursor } from "../mvcc/range-cursor.js";
import type { RangeRequest, TxnRequest } from "../mvcc/requests.js";
import type { RangeResult, TxnResult } from "../mvcc/results.js";
import type { WatchOutlet, WatchStream } from "../mvcc/watch/watch-stream.js";
import type { LeaseTimes } from "../ports/lease-peers.js";

/** Fields of etcdserverpb.ResponseHeader. */
export interface HeaderFields {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly revision: Revision;
  readonly raftTerm: Term;
}

export interface MemberInfo {
  readonly id: MemberId;
  /** Empty until the member has started and published itself. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface AlarmInfo {
  readonly memberId: MemberId;
  readonly alarm: "NOSPACE" | "CORRUPT";
}

export interface MemberStatus {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly name: string;
  /** 0 when this member knows of none. */
  readonly leader: MemberId;
  readonly term: Term;
  readonly committedIndex: Index;
  readonly appliedIndex: Index;
  readonly revision: Revision;
  readonly isLearner: boolean;
  readonly storeBytes: number;
  readonly storeBytesInUse: number;
  /** 0 where no quota is set. */
  readonly quotaBytes: number;
  /** "3.7.0" once the members agreed on it, else undefined. */
  readonly clusterVersion: string | undefined;
}

export interface HashKvResult {
  readonly hash: number;
  readonly compactRevision: Revision;
  readonly hashRevision: Revision;
}

/** Field number of the request in etcdserverpb.InternalRaftRequest. */
export type RequestField = number;

export interface ProposeOptions {
  /** Milliseconds that the client still waits; the member's own request timeout applies as well. */
  readonly timeoutMs: number | undefined;
}

/** Of a linearizable read. */
export interface Confirmation extends Later<void> {
  /** When it was asked for, ms on the monotonic clock. */
  readonly startedMs: number;
}

/** Tells clients of what this member applies. */
export interface Watches {
  /** A stream of watches; to be closed when its client is gone. Its answers go to `outlet` (see there). */
  open(outlet: WatchOutlet): WatchStream;
}

export interface Member {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  /** Who leads, as far as this member knows; 0 for nobody. */
  readonly leader: MemberId;
  readonly isLearner: boolean;
  readonly watches: Watches;

  /** The header of an answer that is given now; `revision` where the answer has one of its own. */
  header(revision?: Revision): HeaderFields;

  /**
   * Puts a request through the log: `body` is the protobuf bytes of the request as the client sent it, carried
   * and not remade. Resolves when it was applied here. Errors (StoreError): what apply answered (KeyNotFound,
   * LeaseNotFound, Compacted…), RequestTooLarge, RequestTooManyRequests, NoSpace, NoLeader is not
   * raised (it waits) but Timeout, TimeoutDueToLeaderFail, TimeoutDueToConnectionLost, Stopped. After a timeout
   * the request may still be applied.
   */
  propose(field: RequestField, body: Uint8Array, options: ProposeOptions): Later<ApplyResult>;

  /**
   * Resolves when a read of local state is linearizable: a quorum confirmed the leader after this call began and
   * everything that was committed then is applied here (ReadIndex, Raft thesis section 6.4). Errors: Timeout,
   * LeaderChanged, Stopped.
   */
  linearize(options: ProposeOptions): Confirmation;

  /** A read of local state; errors Compacted, FutureRev. For ranges of unknown size use `openRange`. */
  range(request: RangeRequest): RangeResult;
  /** The same in slices at one revision. */
  openRange(request: RangeRequest): RangeCursor;

  /** A transaction that only reads, on local state. Asserts that it is one. */
  readTxn(request: TxnRequest): TxnResult;

  /** Resolves when the newest compaction has freed its space. */
  compactionFinished(): Promise<void>;
  /** CRC32C over revisions up to `revision` (0: the current one), as etcd computes it; in slices. */
  hashKv(revision: Revision): Promise<HashKvResult>;

  /**
   * Keeps a lease alive, whoever leads. Seconds that it lives from now; 0: there is no such lease (any more).
   * Errors: Timeout, TimeoutDueToLeaderFail, RequestTooManyRequests, Stopped.
   */
  renewLease(lease: LeaseId): Later<number>;
  /** Undefined: there is no such lease. Errors as of `renewLease`. */
  leaseTimes(
    lease: LeaseId,
    options: ProposeOptions & { readonly keys: boolean },
  ): Promise<LeaseTimes | undefined>;
  /** All leases that this member knows of, by what is left of them where it leads, then by id. */
  leases(): readonly LeaseId[];

  status(): MemberStatus;
  members(): readonly MemberInfo[];
  alarms(): readonly AlarmInfo[];
  /** Errors: BadLeaderTransferee, NotLeader, Timeout. */
  moveLeader(target: MemberId, options: ProposeOptions): Promise<void>;

  /** Resolves when a leader is known and the first read would be answered. */
  ready(): Promise<void>;
  /** Hands leadership over when it has it, finishes what is in hand, makes everything durable, closes files. */
  stop(): Promise<void>;
}
