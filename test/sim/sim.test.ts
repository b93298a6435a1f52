/**
 * Whole clusters from a seed, by the hundred: what fails here would lose an acknowledged write, answer with an old
 * value, or stop a cluster for good, on some bad day. `npm run sim` replays a seed and runs many more.
 */
import { describe, expect, test } from "vitest";
import { describeOptions, optionsOf } from "./options.js";
import { runSeeds } from "./run-seeds.js";

const seeds = 300;

describe("a cluster under faults", () => {
  test(`keeps its promises in ${seeds} runs of 30 simulated seconds`, async () => {
    const summary = await runSeeds({
      from: 1,
      to: seeds,
      overrides: {},
      limitMs: Number.POSITIVE_INFINITY,
      stopAtFailure: true,
    });
    const failures = summary.failures.map(
      ({ seed, failure }) =>
        `npm run sim -- --seed ${seed}: ${failure?.text}\n${describeOptions(optionsOf(seed))}`,
    );
    expect(failures).toEqual([]);
    // A simulator that does nothing finds nothing.
    expect(summary.answeredWrites).toBeGreaterThan(seeds * 100);
    expect(summary.linearizableReads).toBeGreaterThan(seeds * 20);
  }, 600_000);
});
