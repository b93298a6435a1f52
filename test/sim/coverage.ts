/**
 * Counts of what happened at least sometimes: a simulator that never reaches a place proves nothing about it.
 * Names are "group/what" or "group/what/role".
 */
import { failpointNames } from "../../src/base/failpoint.js";
import { isLocalType, type MessageType, messageTypes } from "../../src/raft/message.js";

/** Failpoints that do not lie on a simulated path, with the reason. */
const elsewhere: ReadonlySet<string> = new Set([
  // LevelDB is behind the simulated path.
  "defragBeforeCopy",
  "defragdbFail",
  "defragBeforeRename",
  // Another network stands in place of transport/peer.
  "raftDropHeartbeat",
  "beforeServeHTTPLeaseRenew",
  // Services that no simulated client calls, and what a server does beside its member.
  "beforeRangeStreamChunk",
  "beforePublishing",
]);

export const simulatedFailpoints = failpointNames.filter((name) => !elsewhere.has(name));

/** A member asks these of itself only: its owner calls forgetLeader, and hands leadership over where it leads. */
const neverSent: ReadonlySet<MessageType> = new Set(["MsgForgetLeader", "MsgTransferLeader"]);

/** Places of a follower's or a leader's path alone. */
const onlyLeader: ReadonlySet<string> = new Set([
  "raftBeforeLeaderSend",
  "beforeCheckpointInLeaseRenew",
  "beforeLookupWhenLeaseTimeToLive",
  "beforeLookupWhenForwardLeaseTimeToLive",
]);
const neverLeader: ReadonlySet<string> = new Set([
  "raftBeforeFollowerSend",
  "raftBeforeApplySnap",
  "raftAfterApplySnap",
  "applyBeforeOpenSnapshot",
  "applyAfterOpenSnapshot",
]);

/** The branches that matter, by hand: each is counted where the simulator sees it happen. */
export const branches = [
  "log/conflict truncated",
  "log/torn write cut",
  "log/torn write cut, crash before the cut was durable",
  "log/segment begun",
  "log/segments released",
  "log/segments released, crash before that was durable",
  "log/rename lost",
  "log/unlink lost",
  "log/store ahead of log at start",
  "log/entries applied again at start",
  "vote/lost with its disk",
  "vote/remembered after restart",
  "vote/crash right after it was given",
  "joint/entered",
  "joint/crashed inside",
  "joint/left",
  "snapshot/sent",
  "snapshot/interrupted",
  "snapshot/refused",
  "snapshot/installed",
  "snapshot/crash while installing",
  "snapshot/second arrived while installing",
  "leader/elected",
  "leader/deposed",
  "leader/transferred",
  "leader/removed itself",
  "member/learner added",
  "member/learner promoted",
  "member/removed",
  "member/change refused",
  "read/asked again",
  "read/at once",
  "read/waited for a leader",
  "read/at a past revision",
  "read/compacted",
  "write/unknown outcome that happened",
  "write/unknown outcome that did not happen",
  "write/forwarded",
  "write/waited for a leader",
  "watch/begun now",
  "watch/begun past",
  "watch/begun next",
  "watch/begun future",
  "watch/moved to another member",
  "watch/canceled",
  "watch/refused",
  "watch/ended by a compaction",
  "watch/moved out of live",
  "watch/parked out of live",
  "watch/parked while it caught up",
  "watch/caught up",
  "watch/served in slices",
  "watch/store replaced under a live one",
  "watch/fragments",
  "watch/previous pair compacted",
  "watch/progress by time",
  "watch/progress on request",
  "lease/granted",
  "lease/kept alive at the leader",
  "lease/kept alive at another member",
  "lease/kept alive too late",
  "lease/times told",
  "lease/checkpointed",
  "lease/checkpoint taken back",
  "lease/taken over with a checkpoint",
  "lease/ran out while its leader was deposed",
  "lease/expired",
  "lease/expired with a checkpoint",
  "lease/ended with several keys",
  "lease/revoked by its client",
  "lease/question lost between members",
  "compaction/finished",
  "compaction/crashed inside",
  "disk/fsync failed",
  "disk/full",
  "disk/slow",
  "disk/flip found at start",
  "disk/flip found by a read",
  "disk/flip found by an image",
  "disk/misdirected write found",
  "disk/everyone lost power at once",
  "process/killed",
  "process/power cut",
  "process/paused",
  "process/clock jumped",
  "network/lost",
  "network/doubled",
  "network/partitioned",
  "network/one way",
  "network/ring",
  "network/reset",
] as const;

export type Branch = (typeof branches)[number];

type Counts = Map<string, number>;

export class Coverage {
  private readonly byName: Counts = new Map();
  // Counted several times in each event: these make no names of their own.
  private readonly messages: Counts = new Map();
  private readonly failpoints = { leader: new Map() as Counts, follower: new Map() as Counts };

  get counts(): ReadonlyMap<string, number> {
    const all = new Map(this.byName);
    for (const [type, count] of this.messages) all.set(`message/${type}`, count);
    for (const role of ["leader", "follower"] as const)
      for (const [name, count] of this.failpoints[role]) all.set(`failpoint/${name}/${role}`, count);
    return all;
  }

  hit(branch: Branch): void {
    add(this.byName, branch, 1);
  }

  failpoint(name: string, role: "leader" | "follower"): void {
    add(this.failpoints[role], name, 1);
  }

  crashedAt(name: string, role: "leader" | "follower"): void {
    add(this.byName, `crashed at/${name}/${role}`, 1);
  }

  message(type: string): void {
    add(this.messages, type, 1);
  }

  merge(counts: Iterable<readonly [string, number]>): void {
    for (const [name, count] of counts) add(this.byName, name, count);
  }

  /** What could have happened and did not. */
  neverHit(): string[] {
    const { counts } = this;
    return expected().filter((name) => !counts.has(name));
  }
}

function add(counts: Counts, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function expected(): string[] {
  const names: string[] = [...branches];
  for (const type of messageTypes) {
    if (!isLocalType(type) && !neverSent.has(type)) names.push(`message/${type}`);
  }
  for (const name of simulatedFailpoints) {
    const roles = onlyLeader.has(name)
      ? ["leader"]
      : neverLeader.has(name)
        ? ["follower"]
        : ["leader", "follower"];
    for (const role of roles) names.push(`failpoint/${name}/${role}`, `crashed at/${name}/${role}`);
  }
  return names;
}
