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
/**
 * …and before a second, or one for little garbage: V8 makes its young generation small when little was allocated for
 * some seconds.
 */
const quietIntervals = 15;

/**
 * Begins a collection of all garbage, which V8 goes through in small steps and ends by itself within some ten
 * milliseconds.
 *
 * Where a collection finds no object of a class, V8 forgets what such objects look like, and all code compiled for
 * them: a member at rest has no requests, so its next two thousand would run slowly until all is compiled again. Only
 * a collection that V8 began by itself, and not to save memory (its memory reducer, which bin/etcd switches off),
 * spares both. So here it is brought to begin one: at the end of a collection of the young it looks whether the old
 * have taken so much of their room, in percent, that marking should start.
 */
export function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: "minor" }) => void;
  return () => {
    setFlagsFromString("--incremental-marking-hard-trigger=1");
    // An object that lives through two is old, so nothing young is left.
    collect({ type: "minor" });
    collect({ type: "minor" });
    setFlagsFromString("--incremental-marking-hard-trigger=0");
  };
}

/** Watches until the process ends. */
export function startIdleCollector(collect: () => void): void {
  let usage = process.cpuUsage();
  let idle = 0;
  let aliveBytes = 0;
  let collecting = false;
  let collected = false;
  const look = (): void => {
    const { user, system } = process.cpuUsage(usage);
    usage = process.cpuUsage();
    const { heapUsed, external } = process.memoryUsage();
    if (collecting) {
      // The collection itself took processor time.
      collecting = false;
      aliveBytes = heapUsed + external;
      return;
    }
    idle = (user + system) / 1_000 < idleShare * intervalMs ? idle + 1 : 0;
    if (idle < idleIntervals) return;
    // A longer pause than that of such a heap would be felt, by a client or an election.
    if (heapUsed > limits.idleCollectHeapBytesMax) return;
    const quiet = idle >= quietIntervals;
    const isSecond = collected && quiet;
    const worthBytes = quiet ? limits.quietGarbageBytesMin : limits.idleGarbageBytesMin;
    if (!isSecond && heapUsed + external < aliveBytes + worthBytes) return;
    collected = !isSecond;
    idle = 0;
    collect();
    collecting = true;
  };
  setInterval(look, intervalMs).unref();
}
