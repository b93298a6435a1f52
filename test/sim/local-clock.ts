/** The clock of one process: it drifts, its wall clock jumps, and while the process is paused it goes on. */
import type { Clock } from "../../src/ports/clock.js";
import type { Owner, Scheduler } from "./scheduler.js";

/** Of one machine; the nemesis changes it. */
export interface ClockMood {
  /** Local seconds per true second. */
  rate: number;
  /** What the wall clock shows at the beginning, ms. */
  wallMs: number;
}

export class LocalClock implements Clock {
  private readonly startedUs: number;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly owner: Owner,
    private readonly mood: ClockMood,
  ) {
    this.startedUs = scheduler.nowUs;
  }

  nowMs(): number {
    return Math.floor(this.mood.wallMs + this.scheduler.nowUs / 1_000);
  }

  monotonicMs(): number {
    return ((this.scheduler.nowUs - this.startedUs) / 1_000) * this.mood.rate;
  }

  every(intervalMs: number, fire: () => void): () => void {
    let stopped = false;
    const next = (): void => {
      if (stopped) return;
      fire();
      this.wait(intervalMs, next);
    };
    this.wait(intervalMs, next);
    return () => {
      stopped = true;
    };
  }

  after(delayMs: number, fire: () => void): () => void {
    let stopped = false;
    this.wait(delayMs, () => {
      if (!stopped) fire();
    });
    return () => {
      stopped = true;
    };
  }

  private wait(localMs: number, action: () => void): void {
    this.scheduler.after(Math.round((localMs * 1_000) / this.mood.rate), this.owner, action);
  }
}
