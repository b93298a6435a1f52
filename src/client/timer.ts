/** Waiting. */

/** Timers of Node.js hold 31 bits of milliseconds: 24 days. A longer wait ends there. */
export const timerMsMax = 2 ** 31 - 1;

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
