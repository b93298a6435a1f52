/** The clock of one process: it drifts, its wall clock jumps, and while the process is paused it goes on. */
import type { Clock } from "../../src/ports/clock.js";
import type { Owner, Scheduler } from "./scheduler.js";

/** How fast a clock runs at the least and at the most, local seconds per true second: far worse than any real one. */
export const clockRates = { slowest: 0.85, fastest: 1.15 } as const;

/** Of one machine; the nemesis changes it. */
export class MachineClock {
  /** What the steady clock shows at `sinceUs`. */
  private baseMs = 0;
  private sinceUs = 0;

  constructor(
    /** Local seconds per true second. */
    private rate: number,
    /** What the wall clock shows at the beginning, ms. */
    public wallMs: number,
  ) {}

  /** The steady clock: it drifts and never jumps. */
  steadyMs(nowUs: number): number {
    return this.baseMs + ((nowUs - this.sinceUs) / 1_000) * this.rate;
  }

  changeRate(rate: number, nowUs: number): void {
    this.baseMs = this.steadyMs(nowUs);
    this.sinceUs = nowUs;
    this.rate = rate;
  }

  /** True µs in which so much local time passes, at the rate of now. Rounded up: no timer is early. */
  trueUs(localMs: number): number {
    return Math.ceil((localMs * 1_000) / this.rate);
  }
}

export class LocalClock implements Clock {
  private readonly startedMs: number;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly owner: Owner,
    private readonly machine: MachineClock,
  ) {
    this.startedMs = machine.steadyMs(scheduler.nowUs);
  }

  nowMs(): number {
    return Math.floor(this.machine.wallMs + this.scheduler.nowUs / 1_000);
  }

  monotonicMs(): number {
    return this.machine.steadyMs(this.scheduler.nowUs) - this.startedMs;
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
    this.scheduler.after(this.machine.trueUs(localMs), this.owner, action);
  }
}
