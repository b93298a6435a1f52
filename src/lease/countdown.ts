/** What the leader alone knows of a lease: when it ends, who waits for word of it. Never stored, never sent. */
import type { Lease } from "./lease.js";
import type { Sleeper } from "./wake-queue.js";

/** Names a keep-alive that waits for an answer; whoever asked knows the client behind it. */
export type RenewalTicket = number;

/** Beyond all clocks. */
export const never: number = Number.POSITIVE_INFINITY;

export class Countdown implements Sleeper {
  wakeMs = 0;
  queuePosition = -1;
  /** When the lease has run out; `never` until the first tick after it was granted, renewed or taken over. */
  deadlineMs = never;
  /** When the time that is left is to be put in the log. */
  checkpointMs = never;
  /** Time to count from the next tick on; 0 while it counts already. */
  freshMs = 0;
  /** Somebody keeps it alive: so it is not checkpointed before it was left alone for longer than usual. */
  wasRenewed = false;
  /** Checkpoints of a time left that were proposed and are not applied. */
  checkpointsOut = 0;
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
}
