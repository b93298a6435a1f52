/**
 * Every named place in turn: a member dies there under load, comes back, and all must be as promised. Which places
 * are reached is part of what is tested: a name that leads nowhere tests nothing.
 */

import { type FailpointName, failpointNames } from "../src/base/failpoint.js";
import type { QuorateClient } from "../src/client/index.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface FailpointLoopOptions {
  readonly names: readonly FailpointName[];
  readonly log: (line: string) => void;
}

export interface FailpointLoopReport {
  readonly acknowledged: number;
  readonly revision: number;
  readonly died: readonly FailpointName[];
}

/** How a member is brought to the place. */
type Approach =
  /** By writers alone. */
  | "load"
  /** Only a leader passes there. */
  | "leader"
  /** By a compaction of old revisions. */
  | "compaction"
  /** As a follower that needs an image of the store. */
  | "image"
  /** At the first start, when the founders are entered. */
  | "founding"
  /** By its start. */
  | "start"
  /** By a watch of what the writers write. */
  | "watch"
  /** By a client that reads a range as a stream. */
  | "stream"
  /** As the leader, by keep-alives and questions for the time left of a lease: asked itself, or through another member. */
  | "lease"
  | "lease of another";

const approaches: Readonly<Partial<Record<FailpointName, Approach>>> = {
  raftBeforeLeaderSend: "leader",
  raftBeforeApplySnap: "image",
  raftAfterApplySnap: "image",
  applyBeforeOpenSnapshot: "image",
  applyAfterOpenSnapshot: "image",
  beforeApplyOneConfChange: "founding",
  compactBeforeCommitScheduledCompact: "compaction",
  compactAfterCommitScheduledCompact: "compaction",
  compactAfterAcquiredBatchTxLock: "compaction",
  compactBeforeCommitBatch: "compaction",
  compactAfterCommitBatch: "compaction",
  compactBeforeSetFinishedCompact: "compaction",
  compactAfterSetFinishedCompact: "compaction",
  beforePublishing: "start",
  beforeSendWatchResponse: "watch",
  beforeRangeStreamChunk: "stream",
  beforeCheckpointInLeaseRenew: "lease",
  beforeLookupWhenLeaseTimeToLive: "lease",
  beforeServeHTTPLeaseRenew: "lease of another",
  beforeLookupWhenForwardLeaseTimeToLive: "lease of another",
};

/** No service leads there yet. */
const unreachable: ReadonlySet<FailpointName> = new Set([
  "defragBeforeCopy",
  "defragdbFail",
  "defragBeforeRename",
]);

export const reachableFailpoints = failpointNames.filter((name) => !unreachable.has(name));

/** What needs nobody to lead the member there. */
const byItself: ReadonlySet<Approach> = new Set(["load", "start", "image", "founding"]);

const deathTimeoutMs = 60_000;
const putsBetween = 150;
/** So that a compaction has something to drop. */
const overwrites = 100;
/** A start passes some places too; what matters is to die under load. */
const afterSomePassages = "5*off->panic";

const options = {
  count: 3,
  extraArgs: ["--snapshot-count", "50", "--snapshot-catchup-entries", "5"],
  ground: loopback,
};

export async function runFailpointLoop(
  binary: ServerBinary,
  { names, log }: FailpointLoopOptions,
): Promise<FailpointLoopReport> {
  const died: FailpointName[] = [];
  const founding = names.filter((name) => approaches[name] === "founding");
  const victims = await Victims.launch(binary, options, failpointEnv(founding, "panic"));
  const writers = new Writers(victims.endpoints, { count: 4, valueBytes: 200 });
  let revision = 0;
  try {
    if (founding.length > 0) await reviveFounders(victims);
    died.push(...founding);
    await victims.allHealthy();
    for (const name of names) {
      if (founding.includes(name)) continue;
      await writers.acknowledge(putsBetween);
      await dieAt(victims, writers, name);
      died.push(name);
      await writers.acknowledge(putsBetween);
      revision = await verifyCluster(victims, writers, revision);
      log(`${name}: revision ${revision}`);
    }
    await writers.stop();
    revision = await verifyCluster(victims, writers, revision);
    return { acknowledged: writers.acknowledged.length, revision, died };
  } finally {
    await writers.stop();
    await victims.destroy();
  }
}

/** All members died while they entered the founders: the next start finds what was written and goes on. */
async function reviveFounders(victims: Victims): Promise<void> {
  for (let at = 0; at < victims.count; at++) {
    await victims.died(at, deathTimeoutMs);
    victims.restart(at);
  }
}

/** A member dies at `name`, and is up again. */
async function dieAt(victims: Victims, writers: Writers, name: FailpointName): Promise<void> {
  const approach = approaches[name] ?? "load";
  const at = victims.others(await victims.leader())[0]!;
  await victims.kill(at);
  if (approach === "image") await writers.acknowledge(4 * putsBetween);
  const often = approach === "load" || approach === "leader";
  victims.restart(at, failpointEnv([name], often ? afterSomePassages : "panic"));
  const gone = victims.died(at, deathTimeoutMs);
  const over = new AbortController();
  // It may die before it is asked for anything.
  const brought = bring(victims, { at, approach, over: over.signal }).catch(() => undefined);
  const exit = await gone.finally(() => over.abort());
  await brought;
  if (exit.signal !== "SIGKILL") throw new Error(`${name} ended the process by ${JSON.stringify(exit)}`);
  victims.restart(at);
  await victims.healthy(at);
}

/** Fails, sooner or later, when the member dies of it. */
async function bring(
  victims: Victims,
  { at, approach, over }: { readonly at: number; readonly approach: Approach; readonly over: AbortSignal },
): Promise<void> {
  if (byItself.has(approach)) return;
  await victims.healthy(at);
  if (approach === "leader" || approach === "lease" || approach === "lease of another")
    await victims.makeLeader(at);
  if (approach === "leader") return;
  await using client = victims.connectTo(approach === "lease of another" ? victims.others(at)[0]! : at);
  if (approach === "lease" || approach === "lease of another") {
    await useLease(client, over);
    return;
  }
  if (approach === "stream") {
    for await (const _ of client.kv.rangeStream("writer/", { prefix: true, signal: over })) {
      // The place comes before the first piece.
    }
    return;
  }
  if (approach === "compaction") {
    for (let count = 0; count < overwrites; count++) await client.kv.put("garbage", `${count}`.padEnd(2_000));
    const { header } = await client.kv.get("garbage");
    await client.kv.compact(header!.revision);
    return;
  }
  await using watcher = client.watch("writer/", { prefix: true, signal: over });
  for await (const _ of watcher) {
    // The place comes before the first answer.
  }
}

/** Fails, sooner or later, when the leader dies of it. */
async function useLease(client: QuorateClient, over: AbortSignal): Promise<void> {
  const { ID } = await client.leases.grant(60);
  while (!over.aborted) {
    await client.leases.keepAliveOnce(ID);
    await client.leases.timeToLive(ID);
  }
}

function failpointEnv(names: readonly FailpointName[], term: string): Readonly<Record<string, string>> {
  if (names.length === 0) return {};
  return { GOFAIL_FAILPOINTS: names.map((name) => `${name}=${term}`).join(";") };
}
