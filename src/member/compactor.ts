/**
 * Frees what a compaction left behind: first in the index in memory, then on disk, in slices with everything
 * else in between. A crash in the middle costs nothing: what was decided is stored, and the work is done again.
 * A compaction that is decided while an older one is carried out waits for its turn: it is not durable yet, and what
 * it would drop must be there if the process ends before it is.
 */
import type { Revision } from "../base/brand.js";
import { isStoreError } from "../base/errors.js";
import { failpoints } from "../base/failpoint.js";
import type { Logger } from "../base/logger.js";
import { nextTurn } from "../base/next-turn.js";
import type { Clock } from "../ports/clock.js";
import {
  decodeNumber,
  encodeNumber,
  finishedCompactionKey,
  type ReplicatedState,
} from "./core/replicated-state.js";
import type { StoreKeeper } from "./store-keeper.js";

const caller = "member/compactor";

export interface CompactorDeps {
  readonly keeper: StoreKeeper;
  readonly state: () => ReplicatedState;
  readonly appliedIndex: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fail: (error: unknown) => void;
}

export class Compactor {
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly deps: CompactorDeps) {}

  /** Starts the work when a compaction was decided and is not finished; called after each turn. */
  poke(): void {
    if (this.running !== undefined || this.stopped || this.deps.keeper.busy) return;
    const { mvcc, records } = this.deps.state().deps;
    if (mvcc.compactedRevision <= decodeNumber(records.getState(finishedCompactionKey), -1)) return;
    this.running = this.run(mvcc.compactedRevision)
      .catch((error: unknown) => {
        // The store was closed under it, to be replaced or for good: the next poke looks at the new one.
        if (!isStoreError(error, "Stopped")) this.deps.fail(error);
      })
      .finally(() => {
        this.running = undefined;
      });
  }

  /** Resolves when no compaction is under way that was decided before. */
  async finished(): Promise<void> {
    this.poke();
    while (this.running !== undefined) await this.running;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(revision: Revision): Promise<void> {
    const { keeper, clock, logger } = this.deps;
    const state = this.deps.state();
    const startedMs = clock.monotonicMs();
    failpoints.compactBeforeCommitScheduledCompact?.();
    // The decision must be durable before the first block goes, or a crash would show keys without their past.
    await keeper.flushTo(this.deps.appliedIndex());
    failpoints.compactAfterCommitScheduledCompact?.();
    while (!this.stopped && state.deps.mvcc.pruneSlice(revision)) await nextTurn();
    const { store } = keeper;
    if (this.stopped || state !== this.deps.state()) return;
    await store.compact(revision, (record) => state.deps.mvcc.isAlive(record, revision));
    if (this.stopped || state !== this.deps.state()) return;
    failpoints.compactBeforeSetFinishedCompact?.();
    store.setState(finishedCompactionKey, encodeNumber(revision));
    failpoints.compactAfterSetFinishedCompact?.();
    logger.info(caller, "finished scheduled compaction", {
      "compact-revision": revision,
      took: `${(clock.monotonicMs() - startedMs).toFixed(3)}ms`,
      "current-db-size-bytes": store.sizeBytes,
      "current-db-size-in-use-bytes": store.sizeInUseBytes,
    });
  }
}
