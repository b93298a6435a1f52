/** The arithmetic of the benchmark: what is said of many runs and of many requests. */

/** The middle one, or the mean of the two in the middle. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many requests had a latency of at most `upper`, and more than the bucket before. In ascending order. */
export type LatencyBucket = readonly [upper: number, count: number];

/** The bound of the bucket that the given share of all requests (0.99: all but one in a hundred) does not exceed. */
export function percentile(buckets: readonly LatencyBucket[], share: number): number {
  let total = 0;
  for (const [, count] of buckets) total += count;
  const wanted = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (const [upper, count] of buckets) {
    seen += count;
    if (seen >= wanted) return upper;
  }
  return Number.NaN;
}

/** All figures that the benchmark takes, and which way is better. */
export const metrics = {
  throughput: { unit: "/s", better: "more" },
  p50: { unit: "ms", better: "less" },
  p99: { unit: "ms", better: "less" },
  /** Of all members, in user and kernel mode, for one request. */
  serverCpu: { unit: "µs", better: "less" },
  /** Of the load generator; it shares the machine with the servers. */
  generatorCpu: { unit: "µs", better: "less" },
  restart: { unit: "ms", better: "less" },
  resident: { unit: "MB", better: "less" },
  /** Resident memory for each of many things that a server holds. */
  perItem: { unit: "B", better: "less" },
} as const;
export type Metric = keyof typeof metrics;

/** What the ratio ours / etcd of a figure has to be: at least `bound` where more is better, else at most. */
export interface Target {
  readonly metric: Metric;
  readonly bound: number;
}

/** Undefined where either side was not measured. */
export function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  if (ours === undefined || theirs === undefined || !(theirs > 0) || Number.isNaN(ours)) return undefined;
  return ours / theirs;
}

export function reaches(target: Target, value: number): boolean {
  return metrics[target.metric].better === "more" ? value >= target.bound : value <= target.bound;
}
