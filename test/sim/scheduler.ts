/**
 * Virtual time: a heap of events, worked off one at a time on one thread. What an event starts in promises ends
 * with it, because the microtasks are drained before the next event; so the order of everything that happens
 * follows from the order of events, and that from the seed.
 *
 * While it runs, `setImmediate` means virtual time: the driver of a member uses it to end a turn.
 */

/** Whose code an event runs: a process, which may be dead by then or stopped for a while. */
export interface Owner {
  readonly alive: boolean;
  /** Nothing of this owner runs before this time. */
  readonly pausedUntilUs: number;
}

interface ScheduledEvent {
  timeUs: number;
  sequence: number;
  readonly owner: Owner | undefined;
  readonly action: () => void;
  /** It is due, and waits for the end of its owner's pause. */
  readonly isHeld: boolean;
}

/** Virtual time between the end of what arrives at once and the turn of the event loop that works it off. */
const turnDelayUs = 30;

const realSetImmediate = globalThis.setImmediate;
/** Runs what promises have to go on with. Node.js calls it after each callback of its own; there is no public name. */
const drainMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback;

export class Scheduler {
  nowUs = 0;
  /** Events run so far. */
  count = 0;
  /** Whose event runs now. */
  current: Owner | undefined;
  private readonly heap: ScheduledEvent[] = [];
  private sequence = 0;

  /** `afterEvent` is called after each event, when everything it led to at once is done. */
  constructor(private readonly afterEvent: (owner: Owner | undefined) => void) {}

  after(delayUs: number, owner: Owner | undefined, action: () => void): void {
    this.pushNew(this.nowUs + Math.max(0, delayUs), owner, action, false);
  }

  /** Goes on in the name of `owner`: at once, or when it is no longer paused; not at all when it is dead. */
  as(owner: Owner, action: () => void): void {
    if (!owner.alive) return;
    if (owner.pausedUntilUs > this.nowUs) this.pushNew(owner.pausedUntilUs, owner, action, true);
    else this.runAs(owner, action);
  }

  /** The pause of `owner` ended early: all that waited for its end comes now, in the order in which it was due. */
  wake(owner: Owner): void {
    const isHeld = (event: ScheduledEvent): boolean => event.isHeld && event.owner === owner;
    const held = this.heap.filter(isHeld).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const others = this.heap.filter((event) => !isHeld(event));
    this.heap.length = 0;
    for (const event of others) this.push(event);
    for (const { action } of held) this.after(0, owner, action);
  }

  /** Resolves after a while, unless `owner` dies before: then never. */
  sleep(delayUs: number, owner: Owner): Promise<void> {
    return new Promise((resolve) => this.after(delayUs, owner, resolve));
  }

  /** Runs events until `limitUs`, or until `isOver` says so after one of them. */
  run(limitUs: number, isOver: () => boolean): void {
    globalThis.setImmediate = ((action: () => void) => {
      this.after(turnDelayUs, this.current, action);
    }) as unknown as typeof setImmediate;
    try {
      while (!isOver()) {
        const next = this.heap[0];
        if (next === undefined || next.timeUs > limitUs) {
          this.nowUs = limitUs;
          return;
        }
        this.pop();
        this.runEvent(next);
      }
    } finally {
      globalThis.setImmediate = realSetImmediate;
    }
  }

  private runEvent(event: ScheduledEvent): void {
    const { owner } = event;
    this.nowUs = event.timeUs;
    if (owner !== undefined) {
      if (!owner.alive) return;
      if (owner.pausedUntilUs > event.timeUs) {
        this.pushNew(owner.pausedUntilUs, owner, event.action, true);
        return;
      }
    }
    this.count++;
    this.runAs(owner, event.action);
  }

  private runAs(owner: Owner | undefined, action: () => void): void {
    this.current = owner;
    action();
    drainMicrotasks();
    this.afterEvent(owner);
    this.current = undefined;
  }

  private pushNew(timeUs: number, owner: Owner | undefined, action: () => void, isHeld: boolean): void {
    this.push({ timeUs, sequence: this.sequence++, owner, action, isHeld });
  }

  private push(event: ScheduledEvent): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent]!;
      if (isBefore(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence);
}

/** Calls `run` outside of any promise, where microtasks can be drained. */
export function outsidePromises<Result>(run: () => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    realSetImmediate(() => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    });
  });
}
