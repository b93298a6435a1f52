/** Durations in Go's notation, as etcd's flags take them: "300ms", "1.5h", "1m30s". */
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of `text`, or undefined where it is no duration. A bare number is none, except 0. */
export function parseDurationMs(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = /^[-+]/.test(text) ? text.slice(1) : text;
  if (body === "0") return 0;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let totalMs = 0;
  while (part.lastIndex < body.length) {
    const match = part.exec(body);
    if (match === null) return undefined;
    totalMs += Number(match[1]) * unitMs[match[2]!]!;
  }
  return body.length === 0 ? undefined : sign * totalMs;
}

/** The duration as Go prints it: "0s", "100ms", "1m30s", "2h0m0s". */
export function formatDurationMs(durationMs: number): string {
  if (durationMs === 0) return "0s";
  if (durationMs < 0) return `-${formatDurationMs(-durationMs)}`;
  if (durationMs < 1e-3) return `${Math.round(durationMs * 1e6)}ns`;
  if (durationMs < 1) return `${rounded(durationMs * 1e3)}µs`;
  if (durationMs < 1_000) return `${rounded(durationMs)}ms`;
  const hours = Math.floor(durationMs / 3_600_000);
  const minutes = Math.floor((durationMs % 3_600_000) / 60_000);
  const seconds = `${rounded((durationMs % 60_000) / 1_000)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** Nine digits after the point, as many as Go's nanoseconds give, without trailing zeros. */
function rounded(value: number): number {
  return Number(value.toFixed(9));
}
