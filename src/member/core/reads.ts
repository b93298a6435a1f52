/**
 * Linearizable reads (Raft thesis section 6.4): a read waits for one confirmation that the leader still was one
 * after the read arrived, then for this member to have applied what was committed then.
 *
 *   waiting ──begin──▶ asking ──confirm(index)──▶ confirmed ──applied ≥ index──▶ ready
 *
 * One question is out at a time and serves everyone who waited when it was asked; those who come meanwhile
 * share the next one. Every attempt has a context of its own, also a repeated one: an answer to an earlier
 * attempt says nothing about a leader deposed since (etcd-io/etcd #20418).
 */
import type { Index, MemberId } from "../../base/brand.js";
import { equalBytes } from "../../base/bytes.js";
import { ProtoWriter } from "../../base/protowire.js";
import type { ReadTicket } from "./events.js";

interface Question {
  readonly context: Uint8Array;
  readonly tickets: ReadTicket[];
  ticksWaited: number;
}

export class ReadTable {
  private waiting: ReadTicket[] = [];
  private asking: Question | undefined;
  private confirmed: { readonly index: Index; readonly tickets: readonly ReadTicket[] }[] = [];
  private attempt = 0;

  /** `retryTicks`: an unanswered question is asked anew after so many ticks. `incarnation`: unlike at any earlier start. */
  constructor(
    private readonly options: {
      readonly id: MemberId;
      readonly incarnation: number;
      readonly retryTicks: number;
    },
  ) {}

  add(ticket: ReadTicket): void {
    this.waiting.push(ticket);
  }

  /** Whether somebody waits for a question that is not out yet. */
  get canBegin(): boolean {
    return this.asking === undefined && this.waiting.length > 0;
  }

  /** The context to ask with, for everyone who waits now. */
  begin(): Uint8Array {
    const context = this.freshContext();
    this.asking = { context, tickets: this.waiting, ticksWaited: 0 };
    this.waiting = [];
    return context;
  }

  /** The question may have been lost with its leader, or on the way: its readers wait for the next one. */
  forgetQuestion(): void {
    if (this.asking === undefined) return;
    this.waiting = this.asking.tickets.concat(this.waiting);
    this.asking = undefined;
  }

  tick(): void {
    if (this.asking !== undefined && ++this.asking.ticksWaited >= this.options.retryTicks)
      this.forgetQuestion();
  }

  confirm(context: Uint8Array, index: Index): void {
    if (this.asking === undefined || !equalBytes(this.asking.context, context)) return;
    this.confirmed.push({ index, tickets: this.asking.tickets });
    this.asking = undefined;
  }

  /** Moves the reads that `applied` satisfies to `ready`. */
  release(applied: Index, ready: ReadTicket[]): void {
    if (this.confirmed.length === 0) return;
    const still: typeof this.confirmed = [];
    for (const group of this.confirmed) {
      if (group.index <= applied) for (const ticket of group.tickets) ready.push(ticket);
      else still.push(group);
    }
    this.confirmed = still;
  }

  private freshContext(): Uint8Array {
    this.attempt++;
    const writer = new ProtoWriter(32);
    writer.bigField(1, this.options.id).int64Field(2, this.options.incarnation).int64Field(3, this.attempt);
    return writer.finish();
  }
}
