/** If these failed, the figures that are published would be wrong, and nobody would see it. */
import { describe, expect, test } from "vitest";
import { type LatencyBucket, median, percentile, ratio, reaches } from "../../bench/statistics.js";

describe("median", () => {
  test("is the middle of an odd number of runs, in whatever order they came", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([7])).toBe(7);
  });

  test("is the mean of the middle two of an even number", () => {
    expect(median([10, 1, 3, 4])).toBe(3.5);
  });

  test("leaves the runs as they are", () => {
    const runs = [3, 1, 2];
    median(runs);
    expect(runs).toEqual([3, 1, 2]);
  });

  test("of nothing is no number", () => {
    expect(median([])).toBeNaN();
  });
});

describe("percentile", () => {
  const buckets: readonly LatencyBucket[] = [
    [10, 50],
    [20, 49],
    [500, 1],
  ];

  test("is the bound of the bucket that holds the request at that rank", () => {
    expect(percentile(buckets, 0.5)).toBe(10);
    expect(percentile(buckets, 0.51)).toBe(20);
    expect(percentile(buckets, 0.99)).toBe(20);
    expect(percentile(buckets, 0.991)).toBe(500);
    expect(percentile(buckets, 1)).toBe(500);
  });

  test("of a single request is that request", () => {
    expect(percentile([[42, 1]], 0.5)).toBe(42);
    expect(percentile([[42, 1]], 0.99)).toBe(42);
  });

  test("of no request is no number", () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe("ratios and targets", () => {
  test("a ratio needs both sides, and a reference that is not zero", () => {
    expect(ratio(30, 10)).toBe(3);
    expect(ratio(undefined, 10)).toBeUndefined();
    expect(ratio(30, undefined)).toBeUndefined();
    expect(ratio(30, 0)).toBeUndefined();
    expect(ratio(Number.NaN, 10)).toBeUndefined();
  });

  test("throughput has to be at least the bound, time and memory at most", () => {
    expect(reaches({ metric: "throughput", bound: 2.5 }, 2.5)).toBe(true);
    expect(reaches({ metric: "throughput", bound: 2.5 }, 2.49)).toBe(false);
    expect(reaches({ metric: "serverCpu", bound: 0.2 }, 0.2)).toBe(true);
    expect(reaches({ metric: "resident", bound: 0.8 }, 0.81)).toBe(false);
    expect(reaches({ metric: "restart", bound: 0.5 }, 0.3)).toBe(true);
  });
});
