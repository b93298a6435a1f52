/** The founders of a cluster, as flags or DNS name them, checked. */
import { lookup, resolveSrv } from "node:dns/promises";
import type { Logger } from "../../base/logger.js";
import { ConfigError } from "../flags/config-error.js";
import type { ServerConfig } from "../flags/server-config.js";
import { discoverInitialCluster } from "./dns-discovery.js";
import {
  type InitialCluster,
  parseInitialCluster,
  verifyFounding,
  verifyJoining,
} from "./initial-cluster.js";

/**
 * Called by a member that has no data. Throws ConfigError with etcd's text where the flags of this member and
 * the cluster do not agree.
 */
export async function resolveInitialCluster(config: ServerConfig, log: Logger): Promise<InitialCluster> {
  const { initialCluster, discoverySrv, state } = config.bootstrap;
  const text =
    discoverySrv === ""
      ? initialCluster
      : await discoverInitialCluster(config, { resolveSrv, resolveHost }, log);
  if (text === "") throw new ConfigError("initial cluster unset and no discovery endpoints found");
  const cluster = parseInitialCluster(text);
  if (state === "new") await verifyFounding(config, cluster, resolveHost);
  else verifyJoining(config, cluster);
  return cluster;
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new ConfigError(`failed to resolve URL Host ${host}: ${(error as Error).message}`);
  }
}
