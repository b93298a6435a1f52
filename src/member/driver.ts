/**
 * The one async loop of a member: it carries events into the core and effects out of it, and knows when the disk
 * has answered. Every turn of Node's event loop is one turn of the core: all that arrived in it is proposed,
 * written and sent together. Kept small, because the simulator drives the core in its place.
 *
 * Durability, in order: an append is written and synced, then its responses go out. The store follows behind,
 * never ahead of the own log.
 */
import type { Index, MemberId } from "../base/brand.js";
import { failpoints } from "../base/failpoint.js";
import type { Logger } from "../base/logger.js";
import type { Clock } from "../ports/clock.js";
import type { PeerTransport } from "../ports/peer-transport.js";
import type { RaftLog } from "../ports/raft-log.js";
import type { ReceivedImage } from "../ports/snapshot-store.js";
import type { Message, SnapshotMessage } from "../raft/message.js";
import type { MemberCore } from "./core/core.js";
import type { CoreEvent, Effects, PendingAppend } from "./core/events.js";
import { Outgoing } from "./outgoing.js";
import type { StoreKeeper } from "./store-keeper.js";

export interface DriverOptions {
  readonly id: MemberId;
  readonly heartbeatIntervalMs: number;
  /** False (--unsafe-no-fsync): nothing waits for the disk, and a power failure may lose what was acknowledged. */
  readonly fsync: boolean;
}

export interface DriverDeps {
  readonly core: MemberCore;
  readonly log: RaftLog;
  readonly keeper: StoreKeeper;
  readonly peers: PeerTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Index of the newest entry that the log held when it was opened. */
  readonly durableIndex: Index;
  /** What the waiters and the services want to know of a turn. */
  readonly observe: (effects: Effects) => void;
  /** The disk failed, or an invariant broke: the process must stop. Called once. */
  readonly fail: (error: unknown) => void;
}

export class Driver {
  private readonly appends: PendingAppend[] = [];
  private readonly images = new Map<Index, ReceivedImage>();
  private readonly outgoing: Outgoing;
  private turnScheduled = false;
  /** Something happened that no turn has seen. */
  private turnDue = false;
  private writing = false;
  private stopped = false;
  private readonly stopTicking: () => void;

  constructor(
    private readonly options: DriverOptions,
    private readonly deps: DriverDeps,
  ) {
    this.outgoing = new Outgoing({ send: (messages) => deps.peers.send(messages), clock: deps.clock });
    this.stopTicking = deps.clock.every(options.heartbeatIntervalMs, () => this.tick());
    deps.keeper.advanceDurable(deps.durableIndex);
    this.schedule();
  }

  /** An event for the core; what follows from it happens at the end of this turn of the event loop. */
  push(event: CoreEvent): void {
    if (this.stopped) return;
    this.take(event);
    this.schedule();
  }

  /** A snapshot whose image arrived whole: raft decides whether it is of use. */
  pushSnapshot(message: SnapshotMessage, image: ReceivedImage): void {
    const { index } = message.snapshot.metadata;
    // A leader that did not hear that an image arrived sends it again.
    void this.images.get(index)?.discard();
    this.images.set(index, image);
    this.push({ type: "message", message });
  }

  /** No more turns; resolves when the write in hand is over. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.stopTicking();
    this.outgoing.stop();
    while (this.writing) await new Promise<void>((resolve) => setImmediate(resolve));
    for (const image of this.images.values()) await image.discard();
  }

  private take(event: CoreEvent): void {
    try {
      this.deps.core.step(event);
      this.notePassedOn(event);
    } catch (error) {
      this.break(error);
    }
  }

  private tick(): void {
    this.push({ type: "tick", nowMs: this.deps.clock.monotonicMs() });
    this.pump({ idle: true });
    this.guard(() => this.deps.keeper.tick());
  }

  private schedule(): void {
    this.turnDue = true;
    if (this.turnScheduled || this.stopped) return;
    this.turnScheduled = true;
    setImmediate(() => {
      this.turnScheduled = false;
      // The turn that a durable write runs at once may have come before.
      if (this.turnDue && !this.stopped) this.guard(() => this.turn());
    });
  }

  private turn(): void {
    const { core, keeper } = this.deps;
    this.turnDue = false;
    const effects = core.turn();
    if (effects.messages.length > 0) this.send(effects.messages);
    for (const append of effects.appends) this.appends.push(append);
    this.pump({ idle: false });
    for (const message of effects.snapshotMessages) keeper.sendSnapshot(message, this.deps.peers);
    this.discardUnusedImages(effects);
    if (effects.cutAt !== undefined) keeper.cut((pending) => this.enqueue(pending));
    keeper.afterApply(() => this.schedule());
    this.deps.observe(effects);
    if (effects.more) this.schedule();
  }

  private send(messages: readonly Message[]): void {
    const leading = this.deps.core.raft.state.role === "leader";
    if (leading) failpoints.raftBeforeLeaderSend?.();
    else failpoints.raftBeforeFollowerSend?.();
    this.outgoing.send(messages);
  }

  /** Who passes on proposals of its clients waits for their commit. */
  private notePassedOn(event: CoreEvent): void {
    if (event.type !== "message" || event.message.type !== "MsgProp") return;
    this.outgoing.awaitsCommit(event.message.from, this.deps.core.raft.state.log.lastIndex());
  }

  private enqueue(pending: PendingAppend): void {
    this.appends.push(pending);
    this.pump({ idle: false });
  }

  /**
   * Starts the next write unless one is under way. Where only commit indexes wait they stay until something
   * needs the disk or a tick passes: losing them costs nothing.
   */
  private pump(options: { readonly idle: boolean }): void {
    if (this.writing || this.stopped) return;
    this.answerDurable();
    if (this.appends.length === 0) return;
    if (!options.idle && !this.appends.some((pending) => pending.mustSync)) return;
    this.writing = true;
    const batch = this.appends.splice(0, this.batchLength());
    const failed = (error: unknown): void => {
      this.writing = false;
      this.break(error);
    };
    try {
      const writing = this.write(batch);
      // Not at once even so: the turn that began the write is told of before what follows from it.
      if (writing === undefined) queueMicrotask(() => this.endWrite(batch));
      else writing.then(() => this.endWrite(batch), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Nothing before these waits for the disk, nor do they: a follower that was told of a commit says so at once. */
  private answerDurable(): void {
    for (let at = 0; at < this.appends.length; at++) {
      const pending = this.appends[at]!;
      if (pending.mustSync) return;
      if (pending.responses.length === 0) continue;
      this.appends[at] = { ...pending, responses: [] };
      this.deliver(pending.responses);
      this.schedule();
    }
  }

  /** Everything that waits; a snapshot goes alone, as it replaces the store first. */
  private batchLength(): number {
    const at = this.appends.findIndex((pending) => pending.snapshot !== undefined);
    if (at < 0) return this.appends.length;
    return Math.max(at, 1);
  }

  /** Makes a batch durable: when the promise resolves, or, where there is none, by now. */
  private write(batch: readonly PendingAppend[]): Promise<void> | undefined {
    const snapshot = batch[0]!.snapshot;
    return snapshot === undefined ? this.save(batch) : this.saveSnapshot(batch, snapshot.metadata.index);
  }

  private save(batch: readonly PendingAppend[]): Promise<void> | undefined {
    failpoints.raftBeforeSave?.();
    const mustSync = this.options.fsync && batch.some((pending) => pending.mustSync);
    return this.deps.log.append(
      batch.map((pending) => pending.append),
      { mustSync },
    );
  }

  private async saveSnapshot(batch: readonly PendingAppend[], index: Index): Promise<void> {
    await this.install(index);
    failpoints.raftBeforeSaveSnap?.();
    await this.save(batch);
    this.answer(batch);
    await this.deps.log.release(this.deps.core.applied);
    failpoints.raftAfterWALRelease?.();
  }

  /** A batch is durable: what it made committed is answered at once, without another round of the event loop. */
  private endWrite(batch: readonly PendingAppend[]): void {
    this.guard(() => {
      if (batch[0]!.snapshot === undefined) this.answer(batch);
      failpoints.raftBeforeAdvance?.();
      if (!this.stopped) this.turn();
    });
    this.writing = false;
    this.guard(() => this.pump({ idle: false }));
  }

  /** A batch is in the log: its responses go out. */
  private answer(batch: readonly PendingAppend[]): void {
    const snapshot = batch[0]!.snapshot;
    failpoints.raftAfterSave?.();
    if (snapshot !== undefined) failpoints.raftAfterSaveSnap?.();
    let durable = snapshot?.metadata.index ?? 0;
    const responses: Message[] = [];
    for (const pending of batch) {
      durable = pending.append.entries.at(-1)?.index ?? durable;
      responses.push(...pending.responses);
      pending.durable?.();
    }
    this.deliver(responses);
    if (durable > 0) this.deps.keeper.advanceDurable(durable);
  }

  /** Responses of a durable append: those to this member go into the core, for the next turn, the others leave. */
  private deliver(responses: readonly Message[]): void {
    if (responses.length === 0) return;
    const own = responses.filter((message) => message.to === this.options.id);
    if (own.length > 0 && !this.stopped) this.take({ type: "persisted", responses: own });
    if (own.length < responses.length)
      this.send(responses.filter((message) => message.to !== this.options.id));
  }

  private async install(index: Index): Promise<void> {
    const image = this.images.get(index);
    if (image === undefined) throw new Error(`the image of the snapshot at index ${index} is gone`);
    this.images.delete(index);
    failpoints.raftBeforeApplySnap?.();
    await this.deps.keeper.install(image, this.deps.core);
    failpoints.raftAfterApplySnap?.();
  }

  /** An image whose message raft passed over (an old one) is of no use. */
  private discardUnusedImages(effects: Effects): void {
    // A turn that ended for want of time may not have asked raft yet.
    if (this.images.size === 0 || effects.more) return;
    const wanted = new Set(
      [...this.appends, ...effects.appends].map((pending) => pending.snapshot?.metadata.index),
    );
    for (const [index, image] of this.images) {
      if (wanted.has(index)) continue;
      this.images.delete(index);
      void image.discard();
    }
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.break(error);
    }
  }

  private break(error: unknown): void {
    this.stopped = true;
    this.deps.fail(error);
  }
}
