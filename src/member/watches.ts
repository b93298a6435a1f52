/** Runs the watch hub beside a member: tells it of turns, and lets it catch up in steps with everything else in between. */
import { limits } from "../base/limits.js";
import type { WatchHub } from "../mvcc/watch/watch-hub.js";
import type { WatchOutlet, WatchStream } from "../mvcc/watch/watch-stream.js";
import type { Watches } from "./contract.js";

export interface MemberWatchesDeps {
  readonly hub: WatchHub;
  /** What clients were told in this turn leaves at once. */
  readonly flush: () => void;
  /** History can not be read, or an invariant broke: the process must stop. */
  readonly fail: (error: unknown) => void;
}

export class MemberWatches implements Watches {
  private scheduled = false;

  constructor(private readonly deps: MemberWatchesDeps) {}

  open(outlet: WatchOutlet): WatchStream {
    return this.deps.hub.open(outlet);
  }

  /**
   * After a turn of the core, before anything else can touch the store: tells the watches, and by `answer` whoever
   * waits for an answer; what the first of them are told leaves before the others'. An event of few watches is told
   * first, as it is awaited like an answer. Many take their time, in which the writers could already prepare their next
   * requests (10 streams of 100 watches: 13 % more events).
   */
  deliver(answer: () => void): void {
    const { hub, flush } = this.deps;
    if (hub.fanOut > limits.watchesToldFirstMax) {
      answer();
      flush();
      this.guard(() => hub.deliver());
    } else {
      this.guard(() => hub.deliver());
      if (hub.fanOut > 0) flush();
      answer();
    }
  }

  /** The hub has something to catch up with: a step of it runs in the next turn of the event loop. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.guard(() => this.deps.hub.catchUp());
    });
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.deps.fail(error);
    }
  }
}
