/**
 * The network between the members breaks: a leader alone serves nothing that needs a quorum, the others go on; a
 * single broken link stops nobody; after healing all agree, and everything that was answered was linearizable.
 */
import type { ServerBinary } from "../test/support/server-binary.js";
import { History, prefix } from "./history.js";
import { Namespaces } from "./namespaces.js";
import { verifyHashes } from "./verify.js";
import { Victims } from "./victims.js";

export interface PartitionOptions {
  readonly rounds: number;
  /** Operations that must be answered in each state of the network. */
  readonly answersBetween: number;
  readonly log: (line: string) => void;
}

export interface PartitionReport {
  readonly answered: number;
  readonly unknown: number;
  readonly revision: number;
}

const electionTimeoutMs = 500;
const contested = `${prefix}0`;
const hashTimeoutMs = 30_000;

interface Stage {
  readonly victims: Victims;
  readonly network: Namespaces;
  readonly history: History;
}

export async function runPartitions(
  binary: ServerBinary,
  options: PartitionOptions,
): Promise<PartitionReport> {
  let network: Namespaces | undefined;
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: [
      ...["--election-timeout", String(electionTimeoutMs)],
      ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
    ],
    ground: async (plan) => {
      network = await Namespaces.build(plan);
      return network;
    },
  });
  let history: History | undefined;
  try {
    history = await History.begin(victims.endpoints, { clients: 9, keys: 5 });
    const stage = { victims, network: network!, history };
    for (let round = 1; round <= options.rounds; round++) {
      await history.answers(options.answersBetween);
      await isolateLeader(stage, round, options.answersBetween);
      await victims.allHealthy();
      await breakLink(stage, options.answersBetween);
      await victims.allHealthy();
      options.log(`round ${round}: ${history.operations.length} operations`);
    }
    await history.stop();
    await using client = victims.connect();
    const { answered, unknown } = await history.verify(client);
    const { header } = await client.kv.get(prefix, { prefix: true, countOnly: true });
    const revision = Number(header!.revision);
    await verifyHashes(client, victims.endpoints, { revision, timeoutMs: hashTimeoutMs });
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return { answered, unknown, revision };
  } finally {
    await history?.stop();
    await victims.destroy();
  }
}

/** The leader alone on one side. */
async function isolateLeader(
  { victims, network, history }: Stage,
  round: number,
  answers: number,
): Promise<void> {
  const old = await victims.leader();
  const others = victims.others(old);
  for (const other of others) network.cut(victims.member(old), victims.member(other));
  try {
    await using throughOld = victims.connectTo(old);
    // The others have a leader: whatever the old one would answer from now on could be wrong.
    await victims.leader(others);
    const value = `minority-${round}`;
    const [read, write] = await Promise.all([
      history.attempt(throughOld, { kind: "get", key: contested }),
      history.attempt(throughOld, { kind: "put", key: contested, value }),
    ]);
    if (read !== undefined) throw new Error("a leader without a quorum answered a linearizable read");
    if (write !== undefined) throw new Error("a leader without a quorum acknowledged a write");
    await throughOld.kv.get(contested, { serializable: true });
    await history.answers(answers);
  } finally {
    for (const other of others) network.heal(victims.member(old), victims.member(other));
  }
}

/** The leader and one follower do not hear each other; the third hears both. There is a quorum all the time. */
async function breakLink({ victims, network, history }: Stage, answers: number): Promise<void> {
  const leader = await victims.leader();
  const follower = victims.others(leader)[0]!;
  network.cut(victims.member(leader), victims.member(follower));
  try {
    await history.answers(answers);
  } finally {
    network.heal(victims.member(leader), victims.member(follower));
  }
}
