/**
 * From a data directory to a member that could go on where it stopped: opens the store and the log, founds them
 * where there are none, and reconciles the two.
 *
 * The store's applied mark is a snapshot like any other: what it holds was committed, whatever the log says. A
 * crash between the installation of a received image and the log's note of it leaves the store ahead of the log;
 * the log then begins anew at the mark.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Index } from "../base/brand.js";
import { DamageError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import { foundingLog } from "../member/bootstrap.js";
import type { ReplicatedState } from "../member/core/replicated-state.js";
import type { RaftLog, RecoveredLog } from "../ports/raft-log.js";
import type { RevisionStore } from "../ports/revision-store.js";
import { MemoryLog } from "../raft/log-store.js";
import type { Entry, HardState } from "../raft/types.js";
import { openRevisionStore } from "../storage/leveldb/open-revision-store.js";
import { createWal, type OpenedWal, openWal, walExists } from "../storage/wal/open.js";
import type { WalDeps } from "../storage/wal/wal.js";
import { ConfigError } from "./flags/config-error.js";
import type { ServerConfig } from "./flags/server-config.js";
import { decodeIdentity, encodeIdentity, type Identity, readFounding } from "./identity.js";

export interface OpenedMember {
  readonly identity: Identity;
  readonly store: RevisionStore;
  readonly state: ReplicatedState;
  readonly log: RaftLog;
  readonly memoryLog: MemoryLog;
  /** Newest entry that the log on disk holds. */
  readonly durableIndex: Index;
}

export interface OpenMemberDeps {
  readonly logger: Logger;
  readonly wal: WalDeps;
  readonly restore: (store: RevisionStore) => Promise<ReplicatedState>;
}

export function storeDirectory(config: ServerConfig): string {
  return join(config.dataDir, "member", "store");
}

/** Errors: ConfigError, DamageError, those of the file system. What was opened is closed again on failure. */
export async function openMember(config: ServerConfig, deps: OpenMemberDeps): Promise<OpenedMember> {
  const store = await openStore(config, deps.logger);
  try {
    const { recovered, log } = await openOrFoundLog(config, store, deps);
    try {
      const state = await deps.restore(store);
      const memoryLog = await reconcile(recovered, log, state);
      const identity = decodeIdentity(recovered.metadata);
      return { identity, store, state, log, memoryLog, durableIndex: memoryLog.lastIndex() };
    } catch (error) {
      await log.close();
      throw error;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
}

export function openStore(config: ServerConfig, logger: Logger): Promise<RevisionStore> {
  const options = { blockCacheBytesMax: limits.blockCacheBytesMax };
  return openRevisionStore(storeDirectory(config), options, { logger, yieldTurn: setImmediate });
}

async function openOrFoundLog(
  config: ServerConfig,
  store: RevisionStore,
  deps: OpenMemberDeps,
): Promise<OpenedWal> {
  const segmentBytes = limits.walSegmentBytes;
  const { logger } = deps;
  if (await walExists(config.walDir)) {
    const opened = await openWal(
      config.walDir,
      { fromMark: store.durableApplied.index, segmentBytes },
      deps.wal,
    );
    const { recovered } = opened;
    // A crash right after the directory was made: the founding entries are not there yet.
    const unfounded =
      recovered.hardState.commit === 0 && recovered.entries.length === 0 && recovered.mark.index === 0;
    return unfounded && store.durableApplied.index === 0 ? foundLog(config, opened, logger) : opened;
  }
  if (store.durableApplied.index > 0) {
    throw new ConfigError(
      `${config.dataDir} holds a store but ${config.walDir} holds no Raft log; give the --wal-dir that was used before`,
    );
  }
  if (config.bootstrap.state === "existing") {
    throw new ConfigError(
      "this version can not join a running cluster: --initial-cluster-state=existing needs a data directory",
    );
  }
  const { clusterId, memberId } = await readFounding(config, logger);
  const metadata = encodeIdentity({ clusterId, memberId });
  return foundLog(config, await createWal(config.walDir, { metadata, segmentBytes }, deps.wal), logger);
}

async function foundLog(
  config: ServerConfig,
  { log, recovered }: OpenedWal,
  logger: Logger,
): Promise<OpenedWal> {
  const { founders } = await readFounding(config, logger);
  const founding = foundingLog(founders);
  await log.append([founding], { mustSync: true });
  return { log, recovered: { ...recovered, entries: founding.entries, hardState: founding.hardState! } };
}

async function reconcile(recovered: RecoveredLog, log: RaftLog, state: ReplicatedState): Promise<MemoryLog> {
  const applied = state.deps.records.durableApplied;
  if (recovered.mark.index > applied.index) {
    throw new DamageError(
      `the store holds the log up to index ${applied.index} only, but the log was cut at ${recovered.mark.index}: ` +
        "the store has lost what was durable; remove this member and let it join again with an empty data directory",
    );
  }
  const memoryLog = new MemoryLog();
  const lastIndex = recovered.entries.at(-1)?.index ?? recovered.mark.index;
  const hardState = atLeast(recovered.hardState, applied.index, applied.term);
  const storeLeads = applied.index > lastIndex || termAt(recovered, applied.index) !== applied.term;
  if (storeLeads) {
    const mark = { ...applied, confState: state.confState };
    await log.append([{ entries: [], hardState, mark }], { mustSync: true });
    memoryLog.applySnapshot({ data: new Uint8Array(0), metadata: mark });
  } else {
    const { index, term } = recovered.mark;
    // The configuration of the store is that of its applied index, from where raft goes on.
    memoryLog.applySnapshot({
      data: new Uint8Array(0),
      metadata: { index, term, confState: state.confState },
    });
    memoryLog.append(recovered.entries as Entry[]);
  }
  memoryLog.setHardState(hardState);
  return memoryLog;
}

/** What was applied was committed, in a term that this member had seen: the log may say less after a crash. */
function atLeast(hardState: HardState, appliedIndex: Index, appliedTerm: number): HardState {
  const commit = Math.max(hardState.commit, appliedIndex);
  if (hardState.term >= appliedTerm) return { ...hardState, commit };
  return { term: appliedTerm, vote: 0n, commit };
}

function termAt(recovered: RecoveredLog, index: Index): number | undefined {
  if (index === recovered.mark.index) return recovered.mark.term;
  return recovered.entries[index - recovered.mark.index - 1]?.term;
}
