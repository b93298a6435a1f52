/** A member that is gone for long costs the others nothing: no throughput, no memory. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface DeadFollowerOptions {
  /** Pairs of measurements, with all up and with one dead, in turn. */
  readonly rounds: number;
  readonly measureMs: number;
  /** Puts a second with a dead member, as a part of those with all up. */
  readonly throughputRatioMin: number;
  /** Growth of a living member's resident memory in MiB over all of it. */
  readonly growthMibMax: number;
  readonly log: (line: string) => void;
}

export interface DeadFollowerReport {
  readonly putsPerSecondAllUp: number;
  readonly putsPerSecondOneDead: number;
  readonly ratio: number;
  readonly growthMib: number;
}

const warmUpPuts = 3_000;

export async function runDeadFollower(
  binary: ServerBinary,
  options: DeadFollowerOptions,
): Promise<DeadFollowerReport> {
  const { rounds, measureMs } = options;
  const victims = await Victims.start(binary, { count: 3, extraArgs: [], ground: loopback });
  let writers: Writers | undefined;
  try {
    const leader = await victims.leader();
    const [dead, alive] = victims.others(leader);
    // All writers talk to the leader, so that a death does not move them.
    writers = new Writers([victims.endpoint(leader)], { count: 32, valueBytes: 256 });
    await writers.acknowledge(warmUpPuts);
    const allUp: number[] = [];
    const oneDead: number[] = [];
    let memoryBefore = 0;
    for (let round = 1; round <= rounds; round++) {
      allUp.push(await putsPerSecond(writers, measureMs));
      await victims.kill(dead!);
      oneDead.push(await putsPerSecond(writers, measureMs));
      const memory = await residentMib(victims.process(alive!).pid);
      if (round === 1) memoryBefore = memory;
      options.log(`round ${round}: ${allUp.at(-1)} puts/s, one dead ${oneDead.at(-1)} puts/s, ${memory} MiB`);
      victims.restart(dead!);
      await victims.healthy(dead!);
    }
    const growthMib = (await residentMib(victims.process(alive!).pid)) - memoryBefore;
    await writers.stop();
    await verifyCluster(victims, writers, 0);
    const ratio = middle(oneDead) / middle(allUp);
    const report = {
      putsPerSecondAllUp: middle(allUp),
      putsPerSecondOneDead: middle(oneDead),
      ratio,
      growthMib,
    };
    if (ratio < options.throughputRatioMin)
      throw new Error(`a dead follower costs throughput: ${JSON.stringify(report)}`);
    if (growthMib > options.growthMibMax) throw new Error(`memory grows: ${JSON.stringify(report)}`);
    return report;
  } finally {
    await writers?.stop();
    await victims.destroy();
  }
}

async function putsPerSecond(writers: Writers, measureMs: number): Promise<number> {
  const before = writers.acknowledged.length;
  const startedMs = performance.now();
  await delay(measureMs);
  return Math.round((1_000 * (writers.acknowledged.length - before)) / (performance.now() - startedMs));
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024);
}
