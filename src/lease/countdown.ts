/** What the leader alone knows of a lease: when it ends, who waits for word of it. Never stored, never sent. */
import type { Lease } from "./lease.js";
import type { Sleeper } from "./wake-queue.js";

/** Names a keep-alive that waits for an answer; whoever asked knows the client behind it. */
export type RenewalTicket = number;

/**
 * There may be millions: times are whole milliseconds, and no time is infinite, so that V8 keeps them in the object
 * itself and not in one of 16 bytes each. What a keep-alive looks at stands first, together.
 */
export class Countdown implements Sleeper {
  /** Time to count from the first tick after it was granted, renewed or taken over; 0 while it counts already. */
  freshMs = 0;
  /** When the lease has run out. Like `checkpointMs`, of no meaning while `freshMs` is above 0. */
  deadlineMs = 0;
  /** Somebody keeps it alive: so it is not checkpointed before it was left alone for longer than usual. */
  wasRenewed = false;
  /** Checkpoints of a time left that were proposed and are not applied. */
  checkpointsOut = 0;
  wakeMs = 0;
  queuePosition = -1;
  /** When the time that is left is to be put in the log. */
  checkpointMs = 0;
  /** The end of the lease is in the log, or about to be. */
  isEnding = false;
  /** Keep-alives that came after the deadline: they learn how it ended. */
  late: RenewalTicket[] | undefined;
  /** Keep-alives that wait until the log no longer says that less than the whole time is left. */
  clearing: RenewalTicket[] | undefined;

  constructor(
    readonly lease: Lease,
    /** Which time of leading it belongs to. */
    readonly era: number,
  ) {}

  /** Whether it is the one that its lease goes by: lists may still name those of leases that ended. */
  get isCurrent(): boolean {
    return this.lease.countdown === this;
  }

  hasRunOut(nowMs: number): boolean {
    return this.freshMs === 0 && this.deadlineMs <= nowMs;
  }
}
