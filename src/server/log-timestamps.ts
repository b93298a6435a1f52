/**
 * Timestamps with microseconds. The wall clock of JavaScript has milliseconds, so the monotonic clock fills in
 * the rest, and is set again whenever the wall clock was moved.
 */
const driftMsMax = 2;

export class LogTimestamps {
  private offsetMs = Number.NaN;
  private second = Number.NaN;
  private secondText = "";

  /** Now, as "2006-01-02T15:04:05.999999Z". */
  now(): string {
    const monotonicMs = performance.now();
    const wallMs = Date.now();
    const drift = Math.abs(wallMs - (monotonicMs + this.offsetMs));
    if (!(drift <= driftMsMax)) this.offsetMs = wallMs - monotonicMs;
    return this.format((monotonicMs + this.offsetMs) * 1_000);
  }

  /** A time in microseconds since the Unix epoch. */
  format(epochMicros: number): string {
    const micros = Math.floor(epochMicros);
    const second = Math.floor(micros / 1_000_000);
    if (second !== this.second) {
      this.second = second;
      this.secondText = new Date(second * 1_000).toISOString().slice(0, 20);
    }
    return `${this.secondText}${String(micros - second * 1_000_000).padStart(6, "0")}Z`;
  }
}
