/**
 * Members of a new cluster from DNS: SRV records of `_etcd-server-ssl._tcp.<domain>` (https) and
 * `_etcd-server._tcp.<domain>` (http), as `--discovery-srv` asks for.
 */
import type { SrvRecord } from "node:dns";
import type { Logger } from "../../base/logger.js";
import { ConfigError } from "../flags/config-error.js";
import type { ServerConfig } from "../flags/server-config.js";
import { urlTexts } from "../flags/urls.js";
import type { ResolveHost } from "./initial-cluster.js";

export interface DnsLookups {
  readonly resolveSrv: (name: string) => Promise<readonly SrvRecord[]>;
  readonly resolveHost: ResolveHost;
}

/**
 * "name=url,name=url" of all members: this one under its own name, as it finds itself by its advertised URLs,
 * the others under numbers. Throws ConfigError where nothing is found or this member is not among them.
 */
export async function discoverInitialCluster(
  config: ServerConfig,
  dns: DnsLookups,
  log: Logger,
): Promise<string> {
  const { discoverySrv: domain, discoverySrvName } = config.bootstrap;
  const suffix = discoverySrvName === "" ? "" : `-${discoverySrvName}`;
  const found: string[] = [];
  const failures: string[] = [];
  for (const [scheme, service] of [
    ["https", `etcd-server-ssl${suffix}`],
    ["http", `etcd-server${suffix}`],
  ] as const) {
    const query = `_${service}._tcp.${domain}`;
    try {
      const records = await dns.resolveSrv(query);
      found.push(...records.map((record) => `${scheme}://${record.name.replace(/\.$/, "")}:${record.port}`));
    } catch (error) {
      failures.push((error as Error).message);
      log.info("server/bootstrap", "no SRV records", { query, error });
    }
  }
  if (found.length === 0) throw new ConfigError(`error querying DNS SRV records: ${failures.join("; ")}`);
  const names = await nameMembers(config, found, dns.resolveHost);
  if (!names.includes(config.name)) {
    throw new ConfigError(`cannot find local etcd member ${JSON.stringify(config.name)} in SRV records`);
  }
  return found.map((url, at) => `${names[at]}=${url}`).join(",");
}

async function nameMembers(
  config: ServerConfig,
  found: readonly string[],
  resolveHost: ResolveHost,
): Promise<readonly string[]> {
  const own = new Set<string>();
  for (const text of urlTexts(config.advertisePeerUrls)) own.add(await resolvedAuthority(text, resolveHost));
  let others = 0;
  const names: string[] = [];
  for (const url of found) {
    names.push(own.has(await resolvedAuthority(url, resolveHost)) ? config.name : String(others++));
  }
  return names;
}

async function resolvedAuthority(text: string, resolveHost: ResolveHost): Promise<string> {
  const { hostname, port } = new URL(text);
  return `${await resolveHost(hostname)}:${port}`;
}
