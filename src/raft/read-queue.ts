/**
 * Linearizable reads that wait on a leader. Raft thesis, section 6.4.
 *
 * Each read gets the commit index of the moment it came; it may be answered once a quorum has confirmed, after
 * that moment, that this is still the leader. Heartbeats carry the position of the last waiting read as context,
 * a position that is never reused within a term, and answers of another term are not heard at all: so no answer
 * to an older heartbeat can confirm a newer read.
 *
 * Example: reads 1 and 2 wait, a heartbeat with context 2 goes out, read 3 comes, a second heartbeat carries 3.
 * An answer with 2 from a quorum confirms 1 and 2 and not 3.
 */
import type { Index, MemberId } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import type { ReadIndexMessage } from "./message.js";
import type { JointVoters } from "./quorum/joint.js";
import { jointCommittedIndex } from "./quorum/joint.js";

export interface PendingRead {
  readonly request: ReadIndexMessage;
  readonly index: Index;
}

export class ReadQueue {
  private acknowledged = new Map<MemberId, number>();
  private unconfirmed: PendingRead[] = [];
  /** Position of the last read that was confirmed in this term. */
  private confirmedPosition = 0;
  /** Came before the leader's first commit of its term, when its commit index may lag behind what was committed. */
  private postponed: ReadIndexMessage[] = [];

  /** Forgets all, as at the begin of a term: who waits asks again. */
  reset(): void {
    this.acknowledged = new Map();
    this.unconfirmed = [];
    this.confirmedPosition = 0;
    this.postponed = [];
  }

  /** False, and nothing done, when too many wait: who asked asks again. */
  postpone(request: ReadIndexMessage): boolean {
    if (this.postponed.length >= limits.pendingReadsMax) return false;
    this.postponed.push(request);
    return true;
  }

  takePostponed(): readonly ReadIndexMessage[] {
    if (this.postponed.length === 0) return [];
    const taken = this.postponed;
    this.postponed = [];
    return taken;
  }

  /** False, and nothing done, when too many wait: who asked asks again. */
  add(request: ReadIndexMessage, index: Index): boolean {
    if (this.unconfirmed.length >= limits.pendingReadsMax) return false;
    this.unconfirmed.push({ request, index });
    return true;
  }

  /** What a heartbeat carries so that its answers confirm all reads that wait now; empty for none. */
  heartbeatContext(): Uint8Array {
    if (this.unconfirmed.length === 0) return emptyBytes;
    const context = new Uint8Array(8);
    const view = new DataView(context.buffer);
    const position = this.confirmedPosition + this.unconfirmed.length;
    view.setUint32(0, position >>> 0, true);
    view.setUint32(4, Math.floor(position / 0x1_0000_0000), true);
    return context;
  }

  /** `from` answered a heartbeat with `context`. Contexts that are not ours are passed over. */
  acknowledge(from: MemberId, context: Uint8Array): void {
    if (context.length !== 8) return;
    const view = new DataView(context.buffer, context.byteOffset, 8);
    const position = view.getUint32(0, true) + view.getUint32(4, true) * 0x1_0000_0000;
    if (position > this.confirmedPosition + this.unconfirmed.length) return;
    this.acknowledged.set(from, Math.max(this.acknowledged.get(from) ?? 0, position));
  }

  /** Reads that a quorum of `config` confirms by now, in the order they came. */
  takeConfirmed(config: JointVoters): readonly PendingRead[] {
    const position = jointCommittedIndex(config, (id) => this.acknowledged.get(id));
    if (!Number.isFinite(position) || position <= this.confirmedPosition) return [];
    const confirmed = this.unconfirmed.splice(0, position - this.confirmedPosition);
    this.confirmedPosition = position;
    return confirmed;
  }
}
