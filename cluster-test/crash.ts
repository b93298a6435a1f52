/**
 * The crash test: writers go on while the leader is killed, and in every second round all members at once.
 */
import { connect } from "../src/client/index.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyAcknowledged, verifyHashes, verifyRevision } from "./verify.js";
import { Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface CrashOptions {
  readonly rounds: number;
  readonly writers: number;
  readonly valueBytes: number;
  /** Puts that must be acknowledged between one blow and the next. */
  readonly putsBetween: number;
  /** As given to the members: writes must be back within twice this and a second. */
  readonly electionTimeoutMs: number;
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

const hashTimeoutMs = 20_000;

/** Throws on the first promise that is broken. */
export async function runCrash(binary: ServerBinary, options: CrashOptions): Promise<CrashReport> {
  const { electionTimeoutMs, snapshotCount } = options;
  const victims = await Victims.start(binary, 3, [
    ...["--election-timeout", String(electionTimeoutMs)],
    ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
    ...["--snapshot-count", String(snapshotCount)],
  ]);
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
      revision = await verifyRound(victims, writers, revision);
      options.log(
        `round ${round}: writes back after ${recoveryMs.toFixed(0)} ms, ${writers.acknowledged.length} puts, revision ${revision}`,
      );
    }
    await writers.stop();
    await using client = connect({ endpoints: victims.endpoints, timeouts: { callMs: 30_000 } });
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
  const leader = await findLeader(victims);
  await victims.kill(leader);
  const killedMs = performance.now();
  await writers.acknowledge(1);
  const recoveryMs = performance.now() - killedMs;
  const limitMs = 2 * options.electionTimeoutMs + 1_000;
  if (recoveryMs > limitMs)
    throw new Error(`writes were back after ${recoveryMs.toFixed(0)} ms, later than ${limitMs} ms`);
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

async function verifyRound(victims: Victims, writers: Writers, floor: number): Promise<number> {
  await using client = connect({ endpoints: victims.endpoints, timeouts: { callMs: 30_000 } });
  const known = writers.acknowledged.slice();
  const newest = known.reduce((highest, put) => Math.max(highest, put.revision), floor);
  const revision = await verifyRevision(client, newest);
  await verifyAcknowledged(client, known);
  await verifyHashes(client, victims.endpoints, { revision, timeoutMs: hashTimeoutMs });
  return revision;
}

async function findLeader(victims: Victims): Promise<number> {
  await using client = connect({ endpoints: victims.endpoints });
  for (let at = 0; at < victims.count; at++) {
    const status = await client.maintenance.status({ endpoint: victims.endpoint(at) });
    if (status.leader !== 0n && status.leader === status.header!.memberId) return at;
  }
  throw new Error("no member says that it leads");
}
