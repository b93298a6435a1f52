/** Lists of members and endpoints as rows of text: for tables, and for the simple format. */
import type { MemberListResponse } from "../../client/index.js";
import { hexId, humanBytes } from "../go-format.js";
import type { EndpointHash, EndpointHealth, EndpointStatus } from "./printer.js";

export interface Rows {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function memberRows(response: MemberListResponse): Rows {
  return {
    header: ["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"],
    rows: response.members.map((member) => [
      hexId(member.ID),
      member.name === "" ? "unstarted" : "started",
      member.name,
      member.peerURLs.join(","),
      member.clientURLs.join(","),
      String(member.isLearner),
    ]),
  };
}

export function healthRows(items: readonly EndpointHealth[]): Rows {
  return {
    header: ["endpoint", "health", "took", "error"],
    rows: items.map((item) => [item.endpoint, String(item.health), item.took, item.error]),
  };
}

export function hashRows(items: readonly EndpointHash[]): Rows {
  return {
    header: ["endpoint", "hash", "hash_revision"],
    rows: items.map(({ endpoint, response }) => [
      endpoint,
      String(response.hash),
      String(response.hashRevision),
    ]),
  };
}

const statusHeader: readonly string[] = [
  "endpoint",
  "ID",
  "version",
  "storage version",
  "db size",
  "in use",
  "percentage not in use",
  "quota",
  "is leader",
  "is learner",
  "raft term",
  "raft index",
  "raft applied index",
  "errors",
  "downgrade target version",
  "downgrade enabled",
];

export function statusRows(items: readonly EndpointStatus[]): Rows {
  return { header: statusHeader, rows: items.map(statusRow) };
}

function statusRow({ endpoint, response }: EndpointStatus): readonly string[] {
  const memberId = response.header?.memberId ?? 0n;
  // A store without a size has nothing unused either (etcdctl would divide by zero).
  const usedPercent = response.dbSize === 0n ? 100n : (response.dbSizeInUse * 100n) / response.dbSize;
  return [
    endpoint,
    hexId(memberId),
    response.version,
    response.storageVersion,
    humanBytes(response.dbSize),
    humanBytes(response.dbSizeInUse),
    `${100n - usedPercent}%`,
    humanBytes(response.dbSizeQuota),
    String(response.leader === memberId),
    String(response.isLearner),
    String(response.raftTerm),
    String(response.raftIndex),
    String(response.raftAppliedIndex),
    response.errors.join(", "),
    response.downgradeInfo?.targetVersion ?? "",
    String(response.downgradeInfo?.enabled ?? false),
  ];
}
