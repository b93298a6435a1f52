/** Which member of which cluster this is: decided once, when a member founds its log, and kept in the log's metadata. */
import type { ClusterId, MemberId } from "../base/brand.js";
import { DamageError } from "../base/errors.js";
import type { Logger } from "../base/logger.js";
import { Metadata } from "../gen/etcdserver.js";
import type { Founder } from "../member/bootstrap.js";
import type { MemberRecord } from "../membership/member-record.js";
import { clusterIdOf, formatId, memberIdOf } from "./bootstrap/ids.js";
import { parseInitialCluster } from "./bootstrap/initial-cluster.js";
import { resolveInitialCluster } from "./bootstrap/resolve.js";
import { ConfigError } from "./flags/config-error.js";
import type { ServerConfig } from "./flags/server-config.js";
import { urlTexts } from "./flags/urls.js";

export interface Identity {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
}

export interface Founding extends Identity {
  readonly founders: readonly Founder[];
}

export function encodeIdentity(identity: Identity): Uint8Array {
  return Metadata.encode({ NodeID: identity.memberId, ClusterID: identity.clusterId }).finish();
}

/** Throws DamageError where the metadata of the log names nobody. */
export function decodeIdentity(bytes: Uint8Array): Identity {
  const { NodeID, ClusterID } = Metadata.decode(bytes);
  if (NodeID === undefined || NodeID === 0n || ClusterID === undefined) {
    throw new DamageError(
      "the metadata of the Raft log names no member; restore the directory from a backup",
    );
  }
  return { memberId: NodeID, clusterId: ClusterID };
}

/** Who found the cluster that the flags (or DNS) describe, by etcd's arithmetic. Throws ConfigError. */
export async function readFounding(config: ServerConfig, logger: Logger): Promise<Founding> {
  const cluster = await resolveInitialCluster(config, logger);
  const founders = [...cluster].map(([name, urls]): Founder => {
    const peerUrls = [...urlTexts(urls)].sort();
    return { id: memberIdOf(peerUrls, config.bootstrap.token, undefined), name, peerUrls };
  });
  const own = founders.find((founder) => founder.name === config.name);
  if (own === undefined) throw new ConfigError(`member ${config.name} is not among the founders`);
  return { memberId: own.id, clusterId: clusterIdOf(founders.map((founder) => founder.id)), founders };
}

/**
 * Refuses a data directory that is plainly not the one that the flags mean: of another member of the same
 * cluster, or of another cluster. Flags that merely describe the founding differently from today's members are
 * passed over, as etcd does: members come and go after the founding. Throws ConfigError.
 */
export function checkSameMember(
  identity: Identity,
  members: readonly MemberRecord[],
  config: ServerConfig,
): void {
  if (config.bootstrap.initialCluster === "" || members.length === 0) return;
  const cluster = parseInitialCluster(config.bootstrap.initialCluster);
  const stored = members.find((member) => member.id === identity.memberId);
  if (stored !== undefined && stored.name !== "" && stored.name !== config.name) {
    const owner = cluster.get(stored.name);
    if (owner !== undefined && sameUrls(urlTexts(owner), stored.peerUrls)) {
      throw new ConfigError(
        `${config.dataDir} is the data directory of member ${stored.name} (${formatId(stored.id)}), not of ${config.name}; ` +
          "start it under that name, or give this member its own --data-dir",
      );
    }
  }
  const configured = [...cluster.values()].flatMap(urlTexts);
  const known = members.flatMap((member) => member.peerUrls);
  const disjoint = !configured.some((url) => known.includes(url));
  const founded = [...cluster.values()].map((urls) =>
    memberIdOf([...urlTexts(urls)].sort(), config.bootstrap.token, undefined),
  );
  const otherToken =
    sameUrls(configured, known) &&
    clusterIdOf(founded) !== identity.clusterId &&
    membersAreFounders(members, cluster.size);
  if (disjoint || (otherToken && config.bootstrap.state === "new" && !founded.includes(identity.memberId))) {
    throw new ConfigError(
      `${config.dataDir} holds a member of cluster ${formatId(identity.clusterId)}, the flags describe cluster ` +
        `${formatId(clusterIdOf(founded))}; choose another --data-dir, or the flags of that cluster`,
    );
  }
}

function membersAreFounders(members: readonly MemberRecord[], founders: number): boolean {
  return members.length === founders;
}

function sameUrls(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}
