/**
 * The network between members: packets are delayed, lost, doubled, overtaken by later ones, cut off by partitions
 * of any shape (one way, halves, a ring in which each reaches only its neighbours), reset.
 *
 * A packet with a proposal is never doubled: links are TCP streams, which lose but do not repeat, and a proposal
 * that came twice would be two proposals (Raft minds nothing else that comes twice).
 */
import type { MemberId } from "../../src/base/brand.js";
import type { ReceivedImage } from "../../src/ports/snapshot-store.js";
import type { SnapshotMessage } from "../../src/raft/message.js";
import { isLocalType, messageTypes } from "../../src/raft/message.js";
import { decodeMessage } from "../../src/raft/message-codec.js";
import type { Coverage } from "./coverage.js";
import type { Dice } from "./dice.js";
import { receiveImage } from "./image-receiver.js";
import type { MemberProcess, Running } from "./member-process.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

export interface NetworkMood {
  /** Typical time on the way. */
  delayUs: number;
  /** Probabilities for a packet. */
  loss: number;
  doubled: number;
  /** Takes many times as long: later ones overtake it. */
  late: number;
}

/** What a member makes of a question. */
export type Answering = (running: Running, question: Uint8Array) => Promise<Uint8Array>;

export interface NetworkDeps {
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly coverage: Coverage;
  readonly trace: Trace;
  /** The process that runs on a machine now. */
  readonly processOf: (id: MemberId) => MemberProcess | undefined;
}

const proposal = messageTypes.indexOf("MsgProp");
/** Virtual time for each kilobyte of an image. */
const imageUsPerKilobyte = 300;
/** Virtual time after which a sender looks whether the receiver of its image is still there. */
const brokenAfterUs = 100_000;

export class Network {
  readonly mood: NetworkMood = { delayUs: 300, loss: 0, doubled: 0, late: 0 };
  private readonly cut = new Set<string>();
  /** Raised when all connections break: what was on its way is gone. */
  private epoch = 0;

  constructor(private readonly deps: NetworkDeps) {}

  /** Cuts the way from one to another; the way back is another. */
  block(from: MemberId, to: MemberId): void {
    this.cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.cut.clear();
  }

  reset(): void {
    this.epoch++;
  }

  reaches(from: MemberId, to: MemberId): boolean {
    const isCut = this.cut.size > 0 && this.cut.has(`${from}>${to}`);
    return !isCut && this.deps.processOf(to) !== undefined;
  }

  send(from: MemberProcess, to: MemberId, batch: readonly Uint8Array[]): void {
    const { dice, coverage, trace } = this.deps;
    for (const bytes of batch) trace.bytes(bytes);
    if (!this.reaches(from.machine.id, to)) {
      coverage.hit("network/lost");
      // A broken connection is noticed in the end, not at once.
      if (dice.chance(0.3)) this.tellUnreachable(from, to);
      return;
    }
    if (dice.chance(this.mood.loss)) {
      coverage.hit("network/lost");
      return;
    }
    this.deliverAfter(this.delay(), from, to, batch);
    const doubled = dice.chance(this.mood.doubled) && !batch.some((bytes) => bytes[1] === proposal);
    if (!doubled) return;
    coverage.hit("network/doubled");
    this.deliverAfter(this.delay() + dice.exponential(20_000), from, to, batch);
  }

  /** Streams an image: it arrives whole, or is cut on the way. */
  sendImage(
    from: MemberProcess,
    encoded: Uint8Array,
    message: SnapshotMessage,
    chunks: readonly Uint8Array[],
  ): void {
    const { scheduler, dice, coverage, trace } = this.deps;
    coverage.hit("snapshot/sent");
    trace.bytes(encoded);
    for (const chunk of chunks) trace.bytes(chunk);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const epoch = this.epoch;
    const transferUs = this.delay() + (bytes / 1024) * imageUsPerKilobyte;
    const isCut = dice.chance(this.mood.loss * 3);
    scheduler.after(transferUs, undefined, () => {
      const arrives = !isCut && epoch === this.epoch && this.reaches(from.machine.id, message.to);
      const process = this.deps.processOf(message.to);
      if (arrives && process?.running !== undefined) {
        scheduler.as(process, () => this.takeImage(process, from, encoded, chunks));
        return;
      }
      this.cutImage(from, message);
    });
  }

  private cutImage(from: MemberProcess, message: SnapshotMessage): void {
    this.deps.coverage.hit("snapshot/interrupted");
    this.tellSnapshot(from, message.to, false);
  }

  imageFailed(from: MemberProcess, message: SnapshotMessage, error: unknown): void {
    this.deps.coverage.hit("disk/flip found by an image");
    this.deps.trace.say(`${from.name} could not send its image: ${String(error)}`);
    this.tellSnapshot(from, message.to, false);
  }

  /**
   * A question of one member to another and its answer. Rejects when the other can not be reached, and when the
   * answer does not come within `timeoutMs`.
   */
  ask(
    from: MemberProcess,
    to: MemberId,
    question: Uint8Array,
    { timeoutMs, answer }: { readonly timeoutMs: number; readonly answer: Answering },
  ): Promise<Uint8Array> {
    const { scheduler, dice, coverage, trace } = this.deps;
    trace.bytes(question);
    return new Promise((resolve, reject) => {
      scheduler.after(Math.ceil(timeoutMs * 1_000), from, () => reject(new Error("no answer in time")));
      const lost = (): void => {
        coverage.hit("lease/question lost between members");
        // A broken connection is noticed in the end, not at once.
        if (dice.chance(0.5)) scheduler.after(this.delay(), from, () => reject(new Error("unreachable")));
      };
      const travel = (a: MemberId, b: MemberId, arrived: () => void): void => {
        if (!this.reaches(a, b) || dice.chance(this.mood.loss)) lost();
        else scheduler.after(this.delay(), undefined, () => (this.reaches(a, b) ? arrived() : lost()));
      };
      travel(from.machine.id, to, () => {
        const process = this.deps.processOf(to)!;
        scheduler.as(process, () => {
          const back = (arrived: () => void) => (): void => {
            if (process.alive) travel(to, from.machine.id, () => scheduler.as(from, arrived));
          };
          if (process.running === undefined) back(() => reject(new Error("starting")))();
          else
            answer(process.running, question).then(
              (bytes) => back(() => resolve(bytes))(),
              (error: unknown) => back(() => reject(error))(),
            );
        });
      });
    });
  }

  private takeImage(
    to: MemberProcess,
    from: MemberProcess,
    encoded: Uint8Array,
    chunks: readonly Uint8Array[],
  ): void {
    const message = decodeMessage(encoded) as SnapshotMessage;
    let isOver = false;
    this.whenGone(
      to,
      () => isOver,
      () => this.cutImage(from, message),
    );
    const arrived = (image: ReceivedImage): void => {
      isOver = true;
      const { index, term } = message.snapshot.metadata;
      if (image.applied.index !== index || image.applied.term !== term) {
        this.deps.coverage.hit("snapshot/refused");
        this.tellSnapshot(from, message.to, false);
        return;
      }
      this.deps.trace.say(`${to.name} received an image at index ${index}`);
      this.deps.coverage.message("MsgSnap");
      if (to.running?.keeper.busy === true)
        this.deps.coverage.hit("snapshot/second arrived while installing");
      to.running?.driver.pushSnapshot(message, image);
      this.tellSnapshot(from, message.to, true);
    };
    receiveImage(to, chunks, this.deps).then(arrived, (error: unknown) => {
      isOver = true;
      this.deps.coverage.hit("snapshot/refused");
      this.deps.trace.say(`${to.name} refused an image: ${String(error)}`);
      this.tellSnapshot(from, message.to, false);
    });
  }

  /** A process that dies breaks its connections, which the other end learns a little later. */
  private whenGone(process: MemberProcess, isOver: () => boolean, gone: () => void): void {
    this.deps.scheduler.after(brokenAfterUs, undefined, () => {
      if (isOver()) return;
      if (process.alive) this.whenGone(process, isOver, gone);
      else gone();
    });
  }

  private deliverAfter(
    delayUs: number,
    from: MemberProcess,
    to: MemberId,
    batch: readonly Uint8Array[],
  ): void {
    const { scheduler } = this.deps;
    const epoch = this.epoch;
    scheduler.after(delayUs, undefined, () => {
      const process = this.deps.processOf(to);
      if (process === undefined || epoch !== this.epoch || !this.reaches(from.machine.id, to)) return;
      scheduler.as(process, () => this.deliver(process, from, batch));
    });
  }

  private deliver(process: MemberProcess, from: MemberProcess, batch: readonly Uint8Array[]): void {
    const { running } = process;
    if (running === undefined) return;
    // As the service of a peer does: who was removed is not heard, and nobody sends what is for a member itself.
    if (running.core.state.membership.isRemoved(from.machine.id)) return;
    running.peers.heard(from.machine.id);
    const { trace, coverage } = this.deps;
    for (const bytes of batch) {
      const message = decodeMessage(bytes);
      if (isLocalType(message.type)) continue;
      coverage.message(message.type);
      if (trace.talkative) trace.whisper(`${process.name} <- ${from.name} ${describe(message)}`);
      running.driver.push({ type: "message", message });
    }
  }

  private tellUnreachable(from: MemberProcess, peer: MemberId): void {
    this.deps.scheduler.after(this.delay(), from, () =>
      from.running?.driver.push({ type: "unreachable", peer }),
    );
  }

  private tellSnapshot(from: MemberProcess, peer: MemberId, arrived: boolean): void {
    this.deps.scheduler.after(this.delay(), from, () =>
      from.running?.driver.push({ type: "snapshotSent", peer, arrived }),
    );
  }

  private delay(): number {
    const { dice } = this.deps;
    const { delayUs, late } = this.mood;
    const usual = delayUs * (0.6 + dice.exponential(0.4));
    return Math.round(dice.chance(late) ? usual * 100 : usual);
  }
}

function describe(message: ReturnType<typeof decodeMessage>): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (typeof value === "bigint") return value.toString(16);
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    return key === "to" || key === "from" ? undefined : value;
  });
}
