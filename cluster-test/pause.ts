/**
 * The leader is stopped (SIGSTOP) under load until the others have another one, and goes on with what it believed.
 * No linearizable read through it may show the past (etcd #20418), and no write of it may stand beside the others'.
 */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { RangeResponse } from "../src/client/index.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { History, prefix } from "./history.js";
import { verifyHashes } from "./verify.js";
import { loopback, Victims } from "./victims.js";

export interface PauseOptions {
  readonly rounds: number;
  /** Operations that must be answered between one blow and the next, and while the leader stands still. */
  readonly answersBetween: number;
  /** Besides: in every second round another member is killed and started again. */
  readonly kills: boolean;
  readonly log: (line: string) => void;
}

export interface PauseReport {
  readonly answered: number;
  readonly unknown: number;
  readonly staleAttempts: number;
  readonly revision: number;
}

const electionTimeoutMs = 500;
const stepDownTimeoutMs = 10_000;
const pollMs = 20;
const readsAtOnce = 50;
const probeKey = `${prefix}0`;
const hashTimeoutMs = 20_000;

export async function runPauses(binary: ServerBinary, options: PauseOptions): Promise<PauseReport> {
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: [
      ...["--election-timeout", String(electionTimeoutMs)],
      ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
    ],
    ground: loopback,
  });
  let history: History | undefined;
  let staleAttempts = 0;
  try {
    history = await History.begin(victims.endpoints, { clients: 9, keys: 5 });
    for (let round = 1; round <= options.rounds; round++) {
      await history.answers(options.answersBetween);
      staleAttempts += await pauseLeader(victims, history, options.answersBetween);
      await history.answers(options.answersBetween);
      if (options.kills && round % 2 === 0) await killOne(victims);
      options.log(`round ${round}: ${history.operations.length} operations`);
    }
    await history.answers(options.answersBetween);
    await history.stop();
    await using client = victims.connect();
    const { answered, unknown } = await history.verify(client);
    const { header } = await client.kv.get(prefix, { prefix: true, countOnly: true });
    const revision = Number(header!.revision);
    await verifyHashes(client, victims.endpoints, { revision, timeoutMs: hashTimeoutMs });
    if (staleAttempts === 0) throw new Error("no read went through a leader that had stood still");
    return { answered, unknown, staleAttempts, revision };
  } finally {
    await history?.stop();
    await victims.destroy();
  }
}

/** Gives the number of reads that were answered through the old leader right after it went on. */
async function pauseLeader(victims: Victims, history: History, meanwhile: number): Promise<number> {
  const old = await victims.leader();
  const others = victims.others(old);
  await using throughOld = victims.connectTo(old);
  await throughOld.kv.get(probeKey);
  victims.signal(old, "SIGSTOP");
  let written = 0n;
  const asked: Promise<RangeResponse>[] = [];
  const ask = (): void => {
    const reads = Array.from({ length: readsAtOnce / 2 }, () => throughOld.kv.get(probeKey));
    asked.push(...reads);
  };
  try {
    const next = await victims.leader(others);
    await history.answers(meanwhile);
    await using client = victims.connectTo(next);
    const { header } = await client.kv.get(probeKey, { timeoutMs: stepDownTimeoutMs });
    written = header!.revision;
    // Some reads are there when it wakes, before anybody can have told it that another leads.
    ask();
    await nextTurn();
  } finally {
    victims.signal(old, "SIGCONT");
  }
  ask();
  const answers = await Promise.allSettled(asked);
  let reads = 0;
  for (const answer of answers) {
    if (answer.status === "rejected") continue;
    reads++;
    const { revision } = answer.value.header!;
    if (revision < written)
      throw new Error(`a stale read: ${revision}, after ${written} had been acknowledged`);
  }
  await steppedDown(victims, old);
  return reads;
}

/** The member that led has heard of the one that leads now. */
async function steppedDown(victims: Victims, old: number): Promise<void> {
  const deadline = Date.now() + stepDownTimeoutMs;
  const terms = async (): Promise<readonly bigint[]> => {
    const asked = [old, ...victims.others(old)].map(async (at) => {
      await using client = victims.connectTo(at);
      return (await client.maintenance.status()).raftTerm;
    });
    return Promise.all(asked);
  };
  while (true) {
    const [own, ...theirs] = await terms();
    if (theirs.every((term) => own! >= term)) return;
    if (Date.now() > deadline) throw new Error("the paused leader did not step down");
    await delay(pollMs);
  }
}

async function killOne(victims: Victims): Promise<void> {
  const at = victims.others(await victims.leader())[0]!;
  await victims.kill(at);
  victims.restart(at);
  await victims.healthy(at);
}
