/**
 * Garbage of a busy time stays in memory until more is made: V8 collects when it needs room, and memory outside its
 * heap hardly counts for it. So an idle member has it collected after each busy time, and gives it back.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits } from "../base/limits.js";

const intervalMs = 500;
/** Less of the processor than this is idle: heartbeats and a few requests. */
const idleShare = 0.05;
/** Idle intervals before a collection. */
const idleIntervals = 3;
/** …and before a second: V8 makes its young generation small when little was allocated for some seconds. */
const quietIntervals = 15;

/** Collects all garbage now: 1 to 2 ms for each mebibyte that is alive. */
export function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** Watches until the process ends. */
export function startIdleCollector(collect: () => void): void {
  let usage = process.cpuUsage();
  let idle = 0;
  let aliveBytes = 0;
  let collected = false;
  const look = (): void => {
    const { user, system } = process.cpuUsage(usage);
    usage = process.cpuUsage();
    idle = (user + system) / 1_000 < idleShare * intervalMs ? idle + 1 : 0;
    if (idle < idleIntervals) return;
    const { heapUsed, external } = process.memoryUsage();
    const isSecond = collected && idle >= quietIntervals;
    if (!isSecond && heapUsed + external < aliveBytes + limits.idleGarbageBytesMin) return;
    collected = !isSecond;
    idle = 0;
    // A longer pause than that of such a heap would be felt, by a client or an election.
    if (heapUsed <= limits.idleCollectHeapBytesMax) collect();
    const after = process.memoryUsage();
    aliveBytes = after.heapUsed + after.external;
    usage = process.cpuUsage();
  };
  setInterval(look, intervalMs).unref();
}
