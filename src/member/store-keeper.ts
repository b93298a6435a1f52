/**
 * Keeps the durable store in step with the log, from behind: flushes what was applied and is in the log, cuts
 * the log where the store is durable, sends and installs images of the store.
 *
 * Invariant: what the store holds durably is never ahead of the member's own durable log.
 */
import type { Index } from "../base/brand.js";
import { DamageError } from "../base/errors.js";
import { failpoints } from "../base/failpoint.js";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import type { PeerTransport } from "../ports/peer-transport.js";
import type { LogMark, RaftLog } from "../ports/raft-log.js";
import type { RevisionStore, StoreImage } from "../ports/revision-store.js";
import type { ReceivedImage } from "../ports/snapshot-store.js";
import type { Message } from "../raft/message.js";
import type { MemberCore } from "./core/core.js";
import type { PendingAppend } from "./core/events.js";
import type { ReplicatedState } from "./core/replicated-state.js";

const caller = "member/store";
/**
 * Heartbeats that a small change may wait in memory: the log has it, and few flushes make full blocks. The fdatasync of
 * one stands in the way of the log's.
 */
const flushTicks = 20;
/** Heartbeats after which cached revisions that nobody read meanwhile are dropped. */
const dropUnreadTicks = 300;

/** An open store and the state in memory that was built over it. */
export interface OpenState {
  readonly store: RevisionStore;
  readonly state: ReplicatedState;
}

export interface StoreKeeperDeps {
  readonly core: MemberCore;
  readonly log: RaftLog;
  readonly logger: Logger;
  /** Builds the state in memory over a store that was just installed. */
  readonly rebuild: (store: RevisionStore) => Promise<ReplicatedState>;
  /** A flush failed: the disk can no longer be trusted. */
  readonly fail: (error: unknown) => void;
}

interface FlushWaiter {
  readonly index: Index;
  readonly resolve: () => void;
}

export class StoreKeeper {
  private current: RevisionStore;
  private durableIndex: Index = 0;
  private flushing: Promise<void> | undefined;
  private waiters: FlushWaiter[] = [];
  private cutting = false;
  private installing = false;
  private ticksPending = 0;
  private ticksToDrop = dropUnreadTicks;
  private closed = false;

  constructor(
    store: RevisionStore,
    private readonly deps: StoreKeeperDeps,
  ) {
    this.current = store;
  }

  get store(): RevisionStore {
    return this.current;
  }

  /** The log is durable up to `index`. */
  advanceDurable(index: Index): void {
    this.durableIndex = index;
    if (this.waiters.length > 0) this.flushForWaiters();
  }

  /** True while the store is being replaced: nothing can be read from it. */
  get busy(): boolean {
    return this.installing;
  }

  /** False while the store is being replaced, and once it is closed. */
  get readable(): boolean {
    return !this.installing && !this.closed;
  }

  /** A heartbeat passed: what has waited long enough is flushed, however little it is. */
  tick(): void {
    this.ticksPending = this.current.pendingBytes === 0 ? 0 : this.ticksPending + 1;
    if (this.ticksPending >= flushTicks) this.flushBehind();
    if (--this.ticksToDrop > 0) return;
    this.ticksToDrop = dropUnreadTicks;
    if (this.readable) this.current.dropUnread();
  }

  /** After a turn: flushes when much waits, and calls `onRoom` when the apply may go on. */
  afterApply(onRoom: () => void): void {
    if (this.current.pendingBytes < limits.flushBytes) return;
    this.flushBehind();
    if (this.current.pendingBytes > limits.pendingRevisionBytesMax)
      void this.flushing?.then(onRoom, () => {});
  }

  /** Resolves when everything up to `index`, which is applied, is in the store. Waits for the log to be durable that far. */
  async flushTo(index: Index): Promise<void> {
    if (this.current.durableApplied.index >= index) return;
    const done = new Promise<void>((resolve) => this.waiters.push({ index, resolve }));
    this.flushForWaiters();
    await done;
  }

  /** Makes the store durable where it stands, says so in the log, and lets old entries and segments go. */
  cut(enqueue: (pending: PendingAppend) => void): void {
    if (this.cutting || this.closed || this.installing) return;
    this.cutting = true;
    this.cutNow(enqueue)
      .catch(this.deps.fail)
      .finally(() => {
        this.cutting = false;
      });
  }

  /** Streams an image of the store to the peer that `message` is for, with the message made to say what the image is. */
  sendSnapshot(message: Message, peers: PeerTransport): void {
    if (message.type !== "MsgSnap") return;
    const failed = (error: unknown): void => {
      this.deps.logger.warn(caller, "failed to send database snapshot", {
        to: message.to.toString(16),
        error: String(error),
      });
      this.deps.core.step({ type: "snapshotSent", peer: message.to, arrived: false });
    };
    // A leader whose store can not be written must not go on: whoever needs an image would never get one.
    const stop = (error: unknown): void => {
      if (!this.closed) this.deps.fail(error);
    };
    this.flushAlone().then(() => this.openSnapshot(message, peers).catch(failed), stop);
  }

  /** Replaces the store by a received image, and the state in memory by what the image holds. */
  async install(image: ReceivedImage, core: MemberCore): Promise<void> {
    const { logger, rebuild } = this.deps;
    const fields = { "incoming-leader-snapshot-index": image.applied.index };
    logger.info(caller, "applying snapshot", fields);
    this.installing = true;
    while (this.flushing !== undefined) await this.flushing;
    await this.current.close();
    failpoints.applyBeforeOpenSnapshot?.();
    this.current = await image.install();
    failpoints.applyAfterOpenSnapshot?.();
    const state = await rebuild(this.current);
    core.adopt(state, { ...image.applied, confState: state.confState });
    this.installing = false;
    this.settleWaiters();
    logger.info(caller, "applied snapshot", fields);
  }

  /** Flushes all that may be flushed, to stable storage, and closes the store. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flushAlone();
    await this.current.close();
  }

  /** Entries that changed no key leave nothing pending, but the applied index is to be stored all the same. */
  private flushForWaiters(): void {
    if (this.flushing === undefined && !this.closed && !this.installing)
      this.startFlush().catch(this.deps.fail);
  }

  private async flushAlone(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing;
    // What was applied to a store that is being replaced is in the image.
    if (!this.installing) await this.startFlush();
  }

  private flushBehind(): void {
    if (this.flushing !== undefined || this.closed || this.installing || this.current.pendingBytes === 0)
      return;
    this.startFlush().catch(this.deps.fail);
  }

  /**
   * Always to stable storage: LevelDB may lose a middle batch of several that were not synced when the power
   * fails, and the store then refuses to start. At the pace of the flushes the sync costs next to nothing.
   */
  private startFlush(): Promise<void> {
    this.ticksPending = 0;
    const flush = this.current.flush(this.durableIndex, { sync: true }).finally(() => {
      this.flushing = undefined;
    });
    this.flushing = flush;
    return flush.then(() => this.settleWaiters());
  }

  private settleWaiters(): void {
    const durable = this.current.durableApplied.index;
    const due = this.waiters.filter((waiter) => waiter.index <= durable);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => waiter.index > durable);
    for (const waiter of due) waiter.resolve();
  }

  private async cutNow(enqueue: (pending: PendingAppend) => void): Promise<void> {
    const { core, log, logger } = this.deps;
    await this.flushAlone();
    if (this.installing) return;
    const applied = this.current.durableApplied;
    // An image of an earlier configuration can not say the present one: the next turn tries again.
    if (applied.index < core.state.confStateIndex) return;
    const mark: LogMark = { ...applied, confState: core.state.confState };
    failpoints.raftBeforeSaveSnap?.();
    await new Promise<void>((resolve) =>
      enqueue({
        append: { entries: [], mark },
        mustSync: true,
        snapshot: undefined,
        responses: [],
        durable: resolve,
      }),
    );
    failpoints.raftAfterSaveSnap?.();
    core.step({ type: "cut", mark });
    await log.release(mark.index);
    failpoints.raftAfterWALRelease?.();
    logger.info(caller, "saved snapshot", { "snapshot-index": mark.index });
  }

  private async openSnapshot(
    message: Message & { readonly type: "MsgSnap" },
    peers: PeerTransport,
  ): Promise<void> {
    const { core, logger } = this.deps;
    const image = await this.current.openImage();
    if (image.applied.index < Math.max(core.state.confStateIndex, message.snapshot.metadata.index)) {
      await image.close();
      throw new Error("the store is behind the configuration; raft asks again");
    }
    const metadata = { ...image.applied, confState: core.state.confState };
    logger.info(caller, "sending database snapshot", {
      "snapshot-index": metadata.index,
      "remote-peer-id": message.to.toString(16),
      bytes: image.sizeBytes,
    });
    const guarded = stopOnDamage(image, this.deps.fail);
    peers.sendSnapshot({ ...message, snapshot: { ...message.snapshot, metadata } }, guarded);
  }
}

/**
 * A member that finds its store damaged while it sends it must not go on: as a leader it would offer the same
 * image for ever, and who needs one would never get it.
 */
function stopOnDamage(image: StoreImage, fail: (error: unknown) => void): StoreImage {
  return {
    applied: image.applied,
    get sizeBytes() {
      return image.sizeBytes;
    },
    async *chunks() {
      try {
        yield* image.chunks();
      } catch (error) {
        if (error instanceof DamageError) fail(error);
        throw error;
      }
    },
    close: () => image.close(),
  };
}
