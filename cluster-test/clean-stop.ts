/** SIGTERM on the leader under load: it hands over and goes, and writers hardly notice. */
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface CleanStopOptions {
  readonly rounds: number;
  /** Writes must be back, and the process gone, after this many ms. */
  readonly writesBackMsMax: number;
  readonly exitMsMax: number;
  readonly log: (line: string) => void;
}

export interface CleanStopReport {
  readonly writesBackMs: readonly number[];
  readonly exitMs: readonly number[];
  readonly acknowledged: number;
  readonly revision: number;
}

const putsBetween = 100;

export async function runCleanStops(
  binary: ServerBinary,
  options: CleanStopOptions,
): Promise<CleanStopReport> {
  const victims = await Victims.start(binary, { count: 3, extraArgs: [], ground: loopback });
  const writers = new Writers(victims.endpoints, { count: 4, valueBytes: 200 });
  const writesBackMs: number[] = [];
  const exitMs: number[] = [];
  let revision = 0;
  try {
    for (let round = 1; round <= options.rounds; round++) {
      await writers.acknowledge(putsBetween);
      const leader = await victims.leader();
      const startedMs = performance.now();
      const exit = victims.stop(leader);
      const gapMs = await longestGap(writers, exit);
      const { signal } = await exit;
      const tookMs = performance.now() - startedMs;
      if (signal !== "SIGTERM") throw new Error(`the leader ended by ${signal}`);
      if (tookMs > options.exitMsMax) throw new Error(`the leader took ${tookMs.toFixed(0)} ms to end`);
      if (gapMs > options.writesBackMsMax) throw new Error(`no write for ${gapMs.toFixed(0)} ms`);
      writesBackMs.push(Math.round(gapMs));
      exitMs.push(Math.round(tookMs));
      options.log(`round ${round}: no write for ${gapMs.toFixed(0)} ms, gone after ${tookMs.toFixed(0)} ms`);
      victims.restart(leader);
      await victims.healthy(leader);
      revision = await verifyCluster(victims, writers, revision);
    }
    await writers.stop();
    revision = await verifyCluster(victims, writers, revision);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return { writesBackMs, exitMs, acknowledged: writers.acknowledged.length, revision };
  } finally {
    await writers.stop();
    await victims.destroy();
  }
}

/** The longest time in ms without an acknowledged write, from now until some were acknowledged after `end`. */
async function longestGap(writers: Writers, end: Promise<unknown>): Promise<number> {
  let ended = false;
  const noted = end.then(() => {
    ended = true;
  });
  let longestMs = 0;
  let afterEnd = putsBetween;
  while (afterEnd > 0) {
    const beforeMs = performance.now();
    await writers.acknowledge(1);
    longestMs = Math.max(longestMs, performance.now() - beforeMs);
    if (ended) afterEnd--;
  }
  await noted;
  return longestMs;
}
