/** The clocks and timers of Node.js as the Clock port. */
import type { Clock } from "../ports/clock.js";

export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  every(intervalMs, fire) {
    const timer = setInterval(fire, intervalMs);
    return () => clearInterval(timer);
  },
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};
