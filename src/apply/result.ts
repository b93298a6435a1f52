/** What applying one entry gave, for the request that waits on the member that proposed it. */
import type { LeaseId, Revision } from "../base/brand.js";
import type { DeleteRangeResult, PutResult, TxnResult } from "../mvcc/results.js";
import type { AlarmRecord } from "./alarms.js";

export type ApplyResult =
  | { readonly kind: "put"; readonly put: PutResult }
  | { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeResult }
  | { readonly kind: "txn"; readonly txn: TxnResult }
  | { readonly kind: "compaction"; readonly revision: Revision }
  | { readonly kind: "alarm"; readonly alarms: readonly AlarmRecord[] }
  | { readonly kind: "leaseGrant"; readonly id: LeaseId; readonly ttlSeconds: number }
  | { readonly kind: "leaseRevoke"; readonly revision: Revision }
  /** An effect without an answer of its own (member attributes, cluster version). */
  | { readonly kind: "done" };
