import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/base/logger.js";
import { discoverInitialCluster } from "../../../src/server/bootstrap/dns-discovery.js";
import {
  formatInitialCluster,
  parseInitialCluster,
  verifyFounding,
  verifyJoining,
} from "../../../src/server/bootstrap/initial-cluster.js";
import { loadConfig } from "../../../src/server/flags/load-config.js";
import type { ServerConfig } from "../../../src/server/flags/server-config.js";

async function configOf(...args: readonly string[]): Promise<ServerConfig> {
  const loaded = await loadConfig({ args, environment: {}, defaultHost: undefined });
  if (loaded.kind !== "run") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

const addresses: Readonly<Record<string, string>> = { localhost: "127.0.0.1", "m1.example": "192.0.2.1" };
const resolveHost = async (host: string): Promise<string> => addresses[host] ?? host;

async function founding(...args: readonly string[]): Promise<string> {
  const config = await configOf(...args);
  try {
    await verifyFounding(config, parseInitialCluster(config.bootstrap.initialCluster), resolveHost);
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("a member founds a cluster only when its flags agree", () => {
  test("with itself in it by the URLs that it advertises", async () => {
    const peers = "--initial-advertise-peer-urls=http://127.0.0.1:1,http://localhost:2";
    const cluster = "--initial-cluster=m2=http://127.0.0.1:3,m1=http://localhost:2,m1=http://127.0.0.1:1";
    expect(await founding("--name=m1", peers, cluster)).toBe("accepted");
  });

  test("a name and the address that it resolves to are the same", async () => {
    const peers = "--initial-advertise-peer-urls=http://127.0.0.1:1";
    expect(await founding("--name=m1", peers, "--initial-cluster=m1=http://localhost:1")).toBe("accepted");
  });

  test.each([
    [
      ["--initial-cluster=a=http://localhost:2380"],
      `couldn't find local name "default" in the initial cluster configuration`,
    ],
    [
      ["--initial-cluster=default=http://127.0.0.1:999"],
      "--initial-cluster has default=http://127.0.0.1:999 but missing from " +
        '--initial-advertise-peer-urls=http://localhost:2380 (resolved urls: "http://127.0.0.1:2380" != "http://127.0.0.1:999")',
    ],
    [
      [
        "--initial-advertise-peer-urls=http://127.0.0.1:1,http://127.0.0.1:2",
        "--initial-cluster=default=http://127.0.0.1:1",
      ],
      "--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from --initial-cluster=default=http://127.0.0.1:1",
    ],
    [
      [
        "--initial-advertise-peer-urls=http://127.0.0.1:1",
        "--initial-cluster=default=http://127.0.0.1:1,b=http://127.0.0.1:1",
      ],
      "initial cluster b=http://127.0.0.1:1,default=http://127.0.0.1:1 has duplicate url",
    ],
  ])("%j", async (args, message) => {
    expect(await founding(...args)).toBe(message);
  });

  test("a joining member must be in the list as well", async () => {
    const config = await configOf("--name=m3", "--initial-cluster-state=existing");
    expect(() => verifyJoining(config, parseInitialCluster("m1=http://127.0.0.1:1"))).toThrow(
      'local name "m3"',
    );
    verifyJoining(config, parseInitialCluster("m1=http://127.0.0.1:1,m3=http://127.0.0.1:3"));
  });

  test("the list is printed sorted", () => {
    const text = "b=http://127.0.0.1:2,,a=http://127.0.0.1:3,a=http://127.0.0.1:1";
    expect(formatInitialCluster(parseInitialCluster(text))).toBe(
      "a=http://127.0.0.1:1,a=http://127.0.0.1:3,b=http://127.0.0.1:2",
    );
  });
});

describe("founders from DNS", () => {
  const lookups = (records: Readonly<Record<string, readonly string[]>>) => ({
    resolveHost,
    resolveSrv: async (name: string) => {
      const found = records[name];
      if (found === undefined) throw new Error(`querySrv ENOTFOUND ${name}`);
      return found.map((target) => {
        const [host, port] = target.split(":") as [string, string];
        return { name: host, port: Number(port), priority: 0, weight: 0 };
      });
    },
  });
  const args = ["--name=me", "--discovery-srv=example", "--discovery-srv-name=blue"];

  test("this member finds itself by its address, the others get numbers", async () => {
    const config = await configOf(...args, "--initial-advertise-peer-urls=http://192.0.2.1:2380");
    const dns = lookups({ "_etcd-server-blue._tcp.example": ["m1.example.:2380", "m2.example:2380"] });
    expect(await discoverInitialCluster(config, { ...dns, resolveHost: stripDot }, silentLogger)).toBe(
      "me=http://m1.example:2380,0=http://m2.example:2380",
    );
  });

  test("nothing found, or itself not found, is an error", async () => {
    const config = await configOf(...args);
    await expect(discoverInitialCluster(config, lookups({}), silentLogger)).rejects.toThrow("ENOTFOUND");
    const others = lookups({ "_etcd-server-ssl-blue._tcp.example": ["m2.example:2380"] });
    await expect(discoverInitialCluster(config, others, silentLogger)).rejects.toThrow(
      'cannot find local etcd member "me" in SRV records',
    );
  });

  const stripDot = (host: string): Promise<string> => resolveHost(host.replace(/\.$/, ""));
});
