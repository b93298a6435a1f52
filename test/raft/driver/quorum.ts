/** Runs scripts of quorum arithmetic: committed and vote, of a majority and of two joint ones. */
import type { Index, MemberId } from "../../../src/base/brand.js";
import {
  jointCommittedIndex,
  jointVoteResult,
  jointVoterIds,
  sortedIds,
} from "../../../src/raft/quorum/joint.js";
import type { VoteResult } from "../../../src/raft/quorum/majority.js";
import { committedIndex, voteResult } from "../../../src/raft/quorum/majority.js";
import type { Argument, Command } from "./script.js";

type Acked = ReadonlyMap<MemberId, Index>;

const voteNames: Readonly<Record<VoteResult, string>> = {
  pending: "VotePending",
  lost: "VoteLost",
  won: "VoteWon",
};
/** Votes are given like indexes, so that both are spread over the voters alike; 0 is no vote. */
const voteNumbers: Readonly<Record<string, Index>> = { y: 2, n: 1, _: 0 };

interface Case {
  readonly voters: MemberId[];
  readonly votersOutgoing: MemberId[];
  readonly joint: boolean;
  /** In the order in which voters first appear; 0 for none. */
  readonly inputs: Index[];
}

export function runQuorumCommand(command: Command): string {
  const given = parseCase(command.args);
  const voters = jointVoterIds(sortedCase(given));
  if (voters.length !== given.inputs.length) {
    const ids = voters.map((id) => `${id}:{}`).join(" ");
    return `error: mismatched input (explicit or _) for voters map[${ids}]: [${given.inputs.join(" ")}]`;
  }
  const acked = spread(given);
  if (command.name === "vote") return runVote(sortedCase(given), given.joint, acked);
  if (command.name !== "committed") throw new Error(`unknown command: ${command.name}`);
  return given.joint
    ? runJointCommitted(sortedCase(given), acked)
    : runCommitted(sortedIds(given.voters), acked);
}

function parseCase(args: readonly Argument[]): Case {
  const given: Case = { voters: [], votersOutgoing: [], joint: false, inputs: [] };
  let joint = false;
  for (const { key, values } of args) {
    for (const value of values) {
      if (key === "cfg") given.voters.push(BigInt(value));
      else if (key === "idx") given.inputs.push(value === "_" ? 0 : Number(value));
      else if (key === "votes") given.inputs.push(voteNumbers[value]!);
      else if (key === "cfgj") {
        joint = true;
        if (value !== "zero") given.votersOutgoing.push(BigInt(value));
      } else throw new Error(`unknown arg ${key}`);
    }
  }
  return { ...given, joint };
}

function sortedCase({ voters, votersOutgoing }: Case): Pick<Case, "voters" | "votersOutgoing"> {
  return { voters: sortedIds(new Set(voters)), votersOutgoing: sortedIds(new Set(votersOutgoing)) };
}

function spread({ voters, votersOutgoing, inputs }: Case): Acked {
  const ids = [...new Set([...voters, ...votersOutgoing])];
  return new Map(ids.map((id, at) => [id, inputs[at]!] as const).filter(([, index]) => index !== 0));
}

function indexText(index: Index): string {
  return Number.isFinite(index) ? String(index) : "∞";
}

function runCommitted(voters: readonly MemberId[], acked: Acked): string {
  const committed = (map: Acked): Index => committedIndex(voters, (id) => map.get(id));
  const index = committed(acked);
  let text = describeQuorum(voters, acked);
  const check = (other: Index, how: string): void => {
    if (other !== index) text += `${indexText(other)} <-- ${how}\n`;
  };
  check(bruteForceCommitted(voters, acked), "via alternative computation");
  const lookup = (id: MemberId): Index | undefined => acked.get(id);
  check(jointCommittedIndex({ voters, votersOutgoing: [] }, lookup), "via zero-joint quorum");
  check(jointCommittedIndex({ voters, votersOutgoing: voters }, lookup), "via self-joint quorum");
  for (const [id, own] of acked) {
    if (index <= own || own === 0) continue;
    check(committed(new Map(acked).set(id, own - 1)), `overlaying ${id}->${own}`);
    check(committed(new Map(acked).set(id, 0)), `overlaying ${id}->0`);
  }
  return `${text}${indexText(index)}\n`;
}

/** By trying: the largest index that enough voters have reached. */
function bruteForceCommitted(voters: readonly MemberId[], acked: Acked): Index {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const reached = (index: Index): number => voters.filter((id) => (acked.get(id) ?? 0) >= index).length;
  return Math.max(0, ...[...acked.values()].filter((index) => reached(index) * 2 > voters.length));
}

function runJointCommitted(config: Pick<Case, "voters" | "votersOutgoing">, acked: Acked): string {
  const lookup = (id: MemberId): Index | undefined => acked.get(id);
  const index = jointCommittedIndex(config, lookup);
  let text = describeQuorum(jointVoterIds(config), acked);
  const mirrored = jointCommittedIndex(
    { voters: config.votersOutgoing, votersOutgoing: config.voters },
    lookup,
  );
  if (mirrored !== index) text += `${indexText(mirrored)} <-- via symmetry\n`;
  return `${text}${indexText(index)}\n`;
}

function runVote(config: Pick<Case, "voters" | "votersOutgoing">, joint: boolean, acked: Acked): string {
  const votes = new Map([...acked].map(([id, index]) => [id, index !== voteNumbers.n]));
  if (!joint) return `${voteNames[voteResult(config.voters, votes)]}\n`;
  const result = jointVoteResult(config, votes);
  const mirrored = jointVoteResult({ voters: config.votersOutgoing, votersOutgoing: config.voters }, votes);
  const symmetry = mirrored === result ? "" : `${voteNames[mirrored]} <-- via symmetry\n`;
  return `${symmetry}${voteNames[result]}\n`;
}

/** The voters' indexes as bars: the longer, the more voters are behind. */
function describeQuorum(voters: readonly MemberId[], acked: Acked): string {
  if (voters.length === 0) return "<empty majority quorum>";
  const count = voters.length;
  const indexOf = (id: MemberId): Index => acked.get(id) ?? 0;
  let text = `${" ".repeat(count)}    idx\n`;
  for (const id of voters) {
    const behind = voters.filter((other) => indexOf(other) < indexOf(id)).length;
    const bar = acked.has(id)
      ? `${"x".repeat(behind)}>${" ".repeat(count - behind)}`
      : `?${" ".repeat(count)}`;
    text += `${bar} ${String(indexOf(id)).padStart(5)}    (id=${id.toString(16)})\n`;
  }
  return text;
}
