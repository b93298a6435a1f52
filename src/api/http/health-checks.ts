/** What "healthy" means, check by check. A check resolves with undefined, or with what is wrong. */
import { emptyBytes } from "../../base/bytes.js";
import type { Member } from "../../member/contract.js";
import { wholeRange } from "../../mvcc/requests.js";
import { toRpcStatus } from "../error-table.js";

export type HealthCheck = (member: Member) => Promise<string | undefined>;

/** Damage of the data was found on some member. */
export const dataCorruption: HealthCheck = async (member) =>
  member.alarms().some(({ alarm }) => alarm === "CORRUPT") ? "alarm activated: CORRUPT" : undefined;

/** The local store answers. */
export const serializableRead: HealthCheck = (member) => readFails(member, { linearizable: false });

/** A quorum confirms the leader, and the local store has caught up. */
export const linearizableRead: HealthCheck = (member) => readFails(member, { linearizable: true });

/** Clients are served: a learner refuses most of them. */
export const nonLearner: HealthCheck = async (member) =>
  member.status().isLearner ? "not supported for learner" : undefined;

/** What `/health` says: the first thing that is wrong, or undefined. */
export async function overallHealth(
  member: Member,
  options: { readonly excludedAlarms: ReadonlySet<string>; readonly serializable: boolean },
): Promise<string | undefined> {
  const alarm = member.alarms().find((active) => !options.excludedAlarms.has(active.alarm));
  if (alarm !== undefined) return `ALARM ${alarm.alarm}`;
  if (!options.serializable && member.status().leader === 0n) return "RAFT NO LEADER";
  const failure = await readFails(member, { linearizable: !options.serializable });
  return failure === undefined ? undefined : `RANGE ERROR:${failure}`;
}

async function readFails(
  member: Member,
  options: { readonly linearizable: boolean },
): Promise<string | undefined> {
  try {
    // The member's own request timeout ends the wait.
    if (options.linearizable) await member.linearize({ timeoutMs: undefined });
    member.range(probe);
    return undefined;
  } catch (error) {
    let text = "";
    const status = toRpcStatus(error, () => {
      text = error instanceof Error ? error.message : String(error);
    });
    return text || status.message;
  }
}

/** The cheapest read there is: a key that can not exist. */
const probe = {
  ...wholeRange,
  key: emptyBytes,
  rangeEnd: emptyBytes,
  limit: 1,
  serializable: true,
  keysOnly: true,
};
