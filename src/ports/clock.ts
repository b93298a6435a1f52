/** Time and timers as the driver sees them; the simulator has its own. */
import type { EpochMs } from "../base/brand.js";

export interface Clock {
  /** Wall clock, ms since the Unix epoch: for what people read, never for order or ids. */
  nowMs(): EpochMs;
  /** Monotonic clock in ms with a fraction: for durations. Goes on while the wall clock jumps. */
  monotonicMs(): number;
  /** Calls `fire` every `intervalMs` until the result is called. */
  every(intervalMs: number, fire: () => void): () => void;
  /** Calls `fire` once after `delayMs` unless the result is called first. */
  after(delayMs: number, fire: () => void): () => void;
}
