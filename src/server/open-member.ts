/**
 * From a data directory to a member that could go on where it stopped: opens the store and the log, founds them
 * where there are none, and reconciles the two.
 */
import { totalmem } from "node:os";
import { join } from "node:path";
import type { Index } from "../base/brand.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import { nextTurn } from "../base/next-turn.js";
import { foundingLog } from "../member/bootstrap.js";
import type { ReplicatedState } from "../member/core/replicated-state.js";
import { reconcile } from "../member/reconcile.js";
import type { RaftLog } from "../ports/raft-log.js";
import type { RevisionStore } from "../ports/revision-store.js";
import type { MemoryLog } from "../raft/log-store.js";
import { openInstalledStore, openRevisionStore } from "../storage/leveldb/open-revision-store.js";
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

export interface OpenStoreDeps {
  readonly logger: Logger;
  /** The same store, with what it does counted. */
  readonly measured: (store: RevisionStore) => RevisionStore;
}

export interface OpenMemberDeps extends OpenStoreDeps {
  readonly wal: WalDeps;
  readonly restore: (store: RevisionStore) => Promise<ReplicatedState>;
}

export function storeDirectory(config: ServerConfig): string {
  return join(config.dataDir, "member", "store");
}

/** Errors: ConfigError, DamageError, those of the file system. What was opened is closed again on failure. */
export async function openMember(config: ServerConfig, deps: OpenMemberDeps): Promise<OpenedMember> {
  const storeOpening = openStore(config, deps);
  const logOpening = openOrFoundLog(config, storeOpening, deps);
  // Who waits for it comes only after the store, and without a store there is nobody.
  logOpening.catch(() => {});
  const store = await storeOpening;
  try {
    // Each waits for the disk now and then; the other goes on meanwhile.
    const [opened, restored] = await Promise.allSettled([logOpening, deps.restore(store)]);
    if (opened.status === "rejected") throw opened.reason;
    const { recovered, log } = opened.value;
    try {
      if (restored.status === "rejected") throw restored.reason;
      const state = restored.value;
      const { confState } = state;
      const { memoryLog, append } = reconcile(recovered, { applied: store.durableApplied, confState });
      if (append !== undefined) await log.append([append], { mustSync: true });
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

async function openStore(config: ServerConfig, deps: OpenStoreDeps): Promise<RevisionStore> {
  const { logger, measured } = deps;
  return measured(
    await openRevisionStore(storeDirectory(config), storeOptions, { logger, yieldTurn: nextTurn }),
  );
}

/** The store that the installation of a received image left, while the member runs. */
export async function reopenStore(config: ServerConfig, deps: OpenStoreDeps): Promise<RevisionStore> {
  const { logger, measured } = deps;
  return measured(
    await openInstalledStore(storeDirectory(config), storeOptions, { logger, yieldTurn: nextTurn }),
  );
}

const storeOptions = { blockCacheBytesMax: blockCacheBytes() };

function blockCacheBytes(): number {
  // 0 or more than there is: not constrained.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const memoryBytes = Math.min(totalmem(), constrained);
  return Math.min(limits.blockCacheBytesMax, memoryBytes * limits.blockCacheMemoryPart);
}

async function openOrFoundLog(
  config: ServerConfig,
  storeOpening: Promise<RevisionStore>,
  deps: OpenMemberDeps,
): Promise<OpenedWal> {
  const segmentBytes = limits.walSegmentBytes;
  const { logger } = deps;
  const exists = await walExists(config.walDir);
  // Not a byte of the log is changed before the store is open, whose lock keeps a second process out.
  const fromMark = storeOpening.then(({ durableApplied }) => durableApplied.index);
  fromMark.catch(() => {});
  if (exists) {
    const opened = await openWal(config.walDir, { fromMark, segmentBytes }, deps.wal);
    const { recovered } = opened;
    // A crash right after the directory was made: the founding entries are not there yet.
    const unfounded =
      recovered.hardState.commit === 0 && recovered.entries.length === 0 && recovered.mark.index === 0;
    return unfounded && (await fromMark) === 0 ? foundLog(config, opened, logger) : opened;
  }
  if ((await fromMark) > 0) {
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
