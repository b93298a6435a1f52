/** Who the members of the local cluster are, and what is printed about them. */
import { join } from "node:path";

export const clientPorts = [2379, 22379, 32379] as const;
export const peerPorts = [2380, 22380, 32380] as const;

export interface LocalMember {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly dataDir: string;
}

/** Three members on loopback with their data under `dataRoot`. */
export function localMembers(dataRoot: string): readonly LocalMember[] {
  return clientPorts.map((port, at) => ({
    name: `m${at + 1}`,
    clientUrl: `http://127.0.0.1:${port}`,
    peerUrl: `http://127.0.0.1:${peerPorts[at]}`,
    dataDir: join(dataRoot, `m${at + 1}.etcd`),
  }));
}

/** The flags of `member` in a cluster of `members`. */
export function memberArguments(member: LocalMember, members: readonly LocalMember[]): readonly string[] {
  return [
    `--name=${member.name}`,
    `--data-dir=${member.dataDir}`,
    `--listen-client-urls=${member.clientUrl}`,
    `--advertise-client-urls=${member.clientUrl}`,
    `--listen-peer-urls=${member.peerUrl}`,
    `--initial-advertise-peer-urls=${member.peerUrl}`,
    `--initial-cluster=${members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",")}`,
    "--initial-cluster-token=quorate-local",
    "--log-format=console",
  ];
}

/** A line that a member wrote, or that is about it, marked with its name. */
export function memberLine(member: LocalMember, line: string): string {
  return `${member.name} | ${line}\n`;
}

/** What is printed once when all members are ready. */
export function readyText(members: readonly LocalMember[]): string {
  const endpoints = members.map(({ clientUrl }) => clientUrl.replace("http://", "")).join(",");
  return [
    "",
    `${members.length} members are ready. Endpoints: ${endpoints}`,
    "Try, in another terminal:",
    `  bin/etcdctl --endpoints=${endpoints} put greeting hello`,
    `  bin/etcdctl --endpoints=${endpoints} get greeting`,
    "Ctrl-C stops all; data/ keeps what was written.",
    "",
    "",
  ].join("\n");
}

/** What is printed instead of a start. */
export function busyText(port: number): string {
  return `127.0.0.1:${port} is in use by another program (an etcd, or a cluster started before?). Stop it and try again.\n`;
}
