/** Runs the watch hub beside a member: tells it of turns, and lets it catch up in steps with everything else in between. */
import type { WatchHub } from "../mvcc/watch/watch-hub.js";
import type { WatchOutlet, WatchStream } from "../mvcc/watch/watch-stream.js";
import type { Watches } from "./contract.js";

export interface MemberWatchesDeps {
  readonly hub: WatchHub;
  /** History can not be read, or an invariant broke: the process must stop. */
  readonly fail: (error: unknown) => void;
}

export class MemberWatches implements Watches {
  private scheduled = false;

  constructor(private readonly deps: MemberWatchesDeps) {}

  open(outlet: WatchOutlet): WatchStream {
    return this.deps.hub.open(outlet);
  }

  /** After a turn of the core, before anything else can touch the store. */
  deliver(): void {
    this.guard(() => this.deps.hub.deliver());
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
