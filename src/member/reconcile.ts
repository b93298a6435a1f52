/**
 * What a start makes of a store and a log that a crash may have left apart. Pure: whoever opens a member writes
 * what is to be written.
 *
 * The store's applied mark is a snapshot like any other: what it holds was committed, whatever the log says. A
 * crash between the installation of a received image and the log's note of it leaves the store ahead of the log;
 * the log then begins anew at the mark.
 */
import type { Index, Term } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import { DamageError } from "../base/errors.js";
import type { LogAppend, RecoveredLog } from "../ports/raft-log.js";
import type { AppliedMark } from "../ports/revision-store.js";
import { MemoryLog } from "../raft/log-store.js";
import type { ConfState, HardState } from "../raft/types.js";

/** What the store says of itself: its content is the result of the log up to `applied`. */
export interface StoredPosition {
  readonly applied: AppliedMark;
  readonly confState: ConfState;
}

export interface Reconciled {
  /** The log as raft goes on from it. */
  readonly memoryLog: MemoryLog;
  /** To be made durable before raft starts; undefined where the log on disk says it all. */
  readonly append: LogAppend | undefined;
}

/** Errors: DamageError where the store is behind the place at which the log was cut. */
export function reconcile(recovered: RecoveredLog, { applied, confState }: StoredPosition): Reconciled {
  if (recovered.mark.index > applied.index) {
    throw new DamageError(
      `the store holds the log up to index ${applied.index} only, but the log was cut at ${recovered.mark.index}: ` +
        "the store has lost what was durable; remove this member and let it join again with an empty data directory",
    );
  }
  const memoryLog = new MemoryLog();
  const hardState = atLeast(recovered.hardState, applied.index, applied.term);
  memoryLog.setHardState(hardState);
  const lastIndex = recovered.entries.at(-1)?.index ?? recovered.mark.index;
  const storeLeads = applied.index > lastIndex || termAt(recovered, applied.index) !== applied.term;
  if (storeLeads) {
    const mark = { ...applied, confState };
    memoryLog.applySnapshot({ data: emptyBytes, metadata: mark });
    return { memoryLog, append: { entries: [], hardState, mark } };
  }
  const { index, term } = recovered.mark;
  // The configuration of the store is that of its applied index, from where raft goes on.
  memoryLog.applySnapshot({ data: emptyBytes, metadata: { index, term, confState } });
  memoryLog.append(recovered.entries);
  return { memoryLog, append: undefined };
}

/** What was applied was committed, in a term that this member had seen: the log may say less after a crash. */
function atLeast(hardState: HardState, appliedIndex: Index, appliedTerm: Term): HardState {
  const commit = Math.max(hardState.commit, appliedIndex);
  if (hardState.term >= appliedTerm) return { ...hardState, commit };
  return { term: appliedTerm, vote: 0n, commit };
}

function termAt(recovered: RecoveredLog, index: Index): Term | undefined {
  if (index === recovered.mark.index) return recovered.mark.term;
  return recovered.entries[index - recovered.mark.index - 1]?.term;
}
