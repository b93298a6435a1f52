/**
 * The crash test: writers go on while the leader is killed, and in every second round all members at once.
 */
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyAcknowledged, verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface CrashOptions {
  readonly rounds: number;
  readonly writers: number;
  readonly valueBytes: number;
  /** Puts that must be acknowledged between one blow and the next. */
  readonly putsBetween: number;
  /** As given to the members. */
  readonly electionTimeoutMs: number;
  /** Longest time that nothing is acknowledged after the death of a leader. */
  readonly writesBackMsMax: number;
  /** --snapshot-count: low, so that the log is cut and members catch up from snapshots. */
  readonly snapshotCount: number;
  readonly log: (line: string) => void;
}

export interface CrashReport {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly revision: number;
  /** After each death of a leader, ms until the next put was acknowledged. */
  readonly recoveriesMs: readonly number[];
}

/** Throws on the first promise that is broken. */
export async function runCrash(binary: ServerBinary, options: CrashOptions): Promise<CrashReport> {
  const { electionTimeoutMs, snapshotCount } = options;
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: [
      ...["--election-timeout", String(electionTimeoutMs)],
      ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
      ...["--snapshot-count", String(snapshotCount)],
    ],
    ground: loopback,
  });
  const writers = new Writers(victims.endpoints, { count: options.writers, valueBytes: options.valueBytes });
  const recoveriesMs: number[] = [];
  let revision = 0;
  try {
    for (let round = 1; round <= options.rounds; round++) {
      await writers.acknowledge(options.putsBetween);
      const recoveryMs = await killLeader(victims, writers, options);
      recoveriesMs.push(recoveryMs);
      await writers.acknowledge(options.putsBetween);
      await killEveryone(victims);
      await writers.acknowledge(1);
      revision = await verifyCluster(victims, writers, revision);
      options.log(
        `round ${round}: writes back after ${recoveryMs.toFixed(0)} ms, ${writers.acknowledged.length} puts, revision ${revision}`,
      );
    }
    await writers.stop();
    await using client = victims.connect();
    await verifyAcknowledged(client, writers.acknowledged);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return { acknowledged: writers.acknowledged.length, unknown: writers.unknown, revision, recoveriesMs };
  } finally {
    await writers.stop();
    await victims.destroy();
  }
}

/** Ms from the death of the leader to the next acknowledged put. Leaves the cluster whole. */
async function killLeader(victims: Victims, writers: Writers, options: CrashOptions): Promise<number> {
  const leader = await victims.leader();
  await victims.kill(leader);
  const killedMs = performance.now();
  await writers.acknowledge(1);
  const recoveryMs = performance.now() - killedMs;
  const { writesBackMsMax } = options;
  if (recoveryMs > writesBackMsMax)
    throw new Error(`writes were back after ${recoveryMs.toFixed(0)} ms, later than ${writesBackMsMax} ms`);
  await writers.acknowledge(options.putsBetween);
  victims.restart(leader);
  await victims.healthy(leader);
  return recoveryMs;
}

async function killEveryone(victims: Victims): Promise<void> {
  await victims.killAll();
  for (let at = 0; at < victims.count; at++) victims.restart(at);
  await victims.allHealthy();
}
