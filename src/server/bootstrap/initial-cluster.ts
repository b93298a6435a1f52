/**
 * Who founds a cluster: the reading of `--initial-cluster` and the checks that a member makes before it founds
 * or joins one. Only for a member without data; afterwards the log knows better.
 */
import { ConfigError } from "../flags/config-error.js";
import { splitOnce } from "../flags/go-values.js";
import type { ServerConfig } from "../flags/server-config.js";
import { parseServerUrls, type ServerUrl, urlTexts } from "../flags/urls.js";

/** Peer URLs of each member by its name; names and URLs in sorted order. */
export type InitialCluster = ReadonlyMap<string, readonly ServerUrl[]>;

/** Resolves a host name to an IP address, as text. */
export type ResolveHost = (host: string) => Promise<string>;

/** Reads "name=url,name=url"; a name may come more than once. Throws ConfigError. */
export function parseInitialCluster(text: string): InitialCluster {
  const texts = new Map<string, string[]>();
  for (const item of text.split(",")) {
    if (item === "") continue;
    const [name, url] = splitOnce(item, "=");
    texts.set(name, [...(texts.get(name) ?? []), url ?? ""]);
  }
  const sorted = [...texts].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([name, urls]) => [name, parseServerUrls(urls)]));
}

/** "name=url,name=url", sorted. */
export function formatInitialCluster(cluster: InitialCluster): string {
  const pairs = [...cluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url.text}`));
  return pairs.sort().join(",");
}

/** A founding member must be in the cluster, by the URLs that it advertises. Throws ConfigError. */
export async function verifyFounding(
  config: ServerConfig,
  cluster: InitialCluster,
  resolveHost: ResolveHost,
): Promise<void> {
  const own = ownUrls(config, cluster);
  await verifyAdvertised(config, own, resolveHost);
  verifyUnique(cluster);
}

/** A joining member was announced with its URLs before. Throws ConfigError. */
export function verifyJoining(config: ServerConfig, cluster: InitialCluster): void {
  ownUrls(config, cluster);
  verifyUnique(cluster);
}

function ownUrls(config: ServerConfig, cluster: InitialCluster): readonly ServerUrl[] {
  const own = cluster.get(config.name);
  if (own !== undefined) return own;
  const name = JSON.stringify(config.name);
  throw new ConfigError(`couldn't find local name ${name} in the initial cluster configuration`);
}

function verifyUnique(cluster: InitialCluster): void {
  const texts = [...cluster.values()].flatMap(urlTexts);
  if (new Set(texts).size === texts.length) return;
  throw new ConfigError(`initial cluster ${formatInitialCluster(cluster)} has duplicate url`);
}

async function verifyAdvertised(
  config: ServerConfig,
  own: readonly ServerUrl[],
  resolveHost: ResolveHost,
): Promise<void> {
  const reason = await differenceOf(config.advertisePeerUrls, own, resolveHost);
  if (reason === undefined) return;
  const advertised = urlTexts(config.advertisePeerUrls);
  const inCluster = urlTexts(own);
  const notAdvertised = inCluster.filter((text) => !advertised.includes(text));
  if (notAdvertised.length > 0) {
    const missing = notAdvertised.map((text) => `${config.name}=${text}`).join(",");
    throw new ConfigError(
      `--initial-cluster has ${missing} but missing from --initial-advertise-peer-urls=${advertised.join(",")} (${reason})`,
    );
  }
  const missing = advertised.filter((text) => !inCluster.includes(text)).join(",");
  throw new ConfigError(
    `--initial-advertise-peer-urls has ${missing} but missing from --initial-cluster=${config.bootstrap.initialCluster}`,
  );
}

/** Undefined where both lists mean the same addresses, after names were resolved where the texts differ. */
async function differenceOf(
  advertised: readonly ServerUrl[],
  own: readonly ServerUrl[],
  resolveHost: ResolveHost,
): Promise<string | undefined> {
  if (advertised.length !== own.length) {
    return `len(${goList(urlTexts(advertised))}) != len(${goList(urlTexts(own))})`;
  }
  if (advertised.every((url, at) => url.text === own[at]!.text)) return undefined;
  const left = await resolvedTexts(advertised, resolveHost);
  const right = await resolvedTexts(own, resolveHost);
  const at = left.findIndex((text, index) => text !== right[index]);
  return at < 0 ? undefined : `resolved urls: ${JSON.stringify(left[at])} != ${JSON.stringify(right[at])}`;
}

async function resolvedTexts(
  urls: readonly ServerUrl[],
  resolveHost: ResolveHost,
): Promise<readonly string[]> {
  const texts = await Promise.all(
    urls.map(async (url) => {
      if (url.scheme === "unix" || url.scheme === "unixs") return url.text;
      const host = await resolveHost(url.host);
      return `${url.scheme}://${host.includes(":") ? `[${host}]` : host}:${url.port}`;
    }),
  );
  return texts.sort();
}

function goList(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(" ")}]`;
}
