/** Builds the state in memory over a store: one streaming pass over its revisions, with progress in the log. */
import type { Logger } from "../base/logger.js";
import { nextTurn } from "../base/next-turn.js";
import type { LeaseMetrics } from "../lease/lease-metrics.js";
import { Lessor } from "../lease/lessor.js";
import type { ChangeSink } from "../mvcc/changes.js";
import { MvccStore } from "../mvcc/store.js";
import type { Clock } from "../ports/clock.js";
import type { RevisionStore } from "../ports/revision-store.js";
import {
  decodeNumber,
  ReplicatedState,
  revisionKey,
  scheduledCompactionKey,
} from "./core/replicated-state.js";

const caller = "member/restore";
const progressIntervalMs = 1_000;

export interface RestoreDeps {
  readonly leaseMetrics: LeaseMetrics;
  readonly changes: ChangeSink;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Errors: DamageError where a block of the store is not what was written. */
export async function restoreState(
  store: RevisionStore,
  options: { readonly learnersMax: number },
  deps: RestoreDeps,
): Promise<ReplicatedState> {
  const { clock, logger } = deps;
  const leases = new Lessor({ records: store, metrics: deps.leaseMetrics });
  const mvcc = new MvccStore({}, { log: store, leases, changes: deps.changes });
  const startedMs = clock.monotonicMs();
  let saidMs = startedMs;
  let count = 0;
  for await (const slice of store.scanAll()) {
    mvcc.restoreSlice(slice);
    count += slice.count;
    const nowMs = clock.monotonicMs();
    if (nowMs - saidMs < progressIntervalMs) continue;
    saidMs = nowMs;
    logger.info(caller, "loading the key index", { revisions: count, keys: mvcc.keyCount });
  }
  // The disk begins with its part, and the index is made meanwhile.
  const finish = async (): Promise<void> => {
    await nextTurn();
    mvcc.finishRestore({
      revision: decodeNumber(store.getState(revisionKey), 1),
      compactedRevision: decodeNumber(store.getState(scheduledCompactionKey), -1),
    });
  };
  await Promise.all([store.loaded(), finish()]);
  logger.info(caller, "restored the key index", {
    revisions: count,
    keys: mvcc.keyCount,
    "current-rev": mvcc.revision,
    "applied-index": store.durableApplied.index,
    took: `${(clock.monotonicMs() - startedMs).toFixed(3)}ms`,
  });
  return new ReplicatedState(options, { records: store, mvcc, leases });
}
