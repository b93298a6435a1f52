import { readFileSync } from "node:fs";
import { Etcd3 } from "etcd3";
import type { TargetCluster } from "../targets.js";

const connectTimeoutMs = 10_000;

/** A client of all members. */
export async function open(target: TargetCluster): Promise<Etcd3> {
  const { members, tls } = target.cluster;
  const hosts = members.map((member) => member.url(""));
  if (tls === undefined) return new Etcd3({ hosts, dialTimeout: connectTimeoutMs });
  return new Etcd3({
    hosts,
    dialTimeout: connectTimeoutMs,
    credentials: {
      rootCertificate: readFileSync(tls.ca),
      certChain: readFileSync(tls.client.cert),
      privateKey: readFileSync(tls.client.key),
    },
  });
}

export async function close(client: Etcd3): Promise<void> {
  client.close();
}
