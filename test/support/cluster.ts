import { join } from "node:path";
import { type TlsFiles, writeTlsFiles } from "./certificates.js";
import { type ProcessExit, TestProcess } from "./child-process.js";
import { type HttpAnswer, httpGet } from "./http-get.js";
import { type LateLink, startLateLink } from "./late-link.js";
import { freePorts } from "./ports.js";
import { isAtLeast, type ServerBinary } from "./server-binary.js";
import { makeTempDir, type TempDir } from "./temp-dir.js";

const healthPollMs = 20;
const readyTimeoutMs = 30_000;
const stopGraceMs = 10_000;

/** What one member is started with. */
export interface MemberPlan {
  readonly name: string;
  readonly dataDir: string;
  readonly clientPort: number;
  /** Where it listens for the other members. */
  readonly peerPort: number;
  /** Where the others reach it. */
  readonly advertisedPeerPort: number;
  /** Absent: plain TCP. Present: TLS for clients and between members, and nobody without a certificate. */
  readonly tls?: TlsFiles;
}

/** A place for `count` members: names, ports, directories. Nothing runs yet. */
export interface ClusterPlan {
  readonly members: readonly MemberPlan[];
  readonly directory: TempDir;
}

export async function planCluster(
  count: number,
  options: { readonly withTls: boolean; readonly behindRelays?: boolean } = { withTls: false },
): Promise<ClusterPlan> {
  const directory = await makeTempDir("cluster");
  const tls = options.withTls ? { tls: await writeTlsFiles(directory.path) } : {};
  const ports = await freePorts(3 * count);
  const members = Array.from({ length: count }, (_, index) => ({
    name: `m${index + 1}`,
    dataDir: join(directory.path, `m${index + 1}`),
    clientPort: ports[3 * index]!,
    peerPort: ports[3 * index + 1]!,
    advertisedPeerPort: ports[3 * index + (options.behindRelays ? 2 : 1)]!,
    ...tls,
  }));
  return { members, directory };
}

export function clientEndpoint(member: MemberPlan): string {
  return `127.0.0.1:${member.clientPort}`;
}

function scheme(member: MemberPlan): "http" | "https" {
  return member.tls === undefined ? "http" : "https";
}

export function clientUrl(member: MemberPlan): string {
  return `${scheme(member)}://${clientEndpoint(member)}`;
}

/** One certificate serves for clients and peers. */
function tlsArgs(tls: TlsFiles): readonly string[] {
  const forOne = (prefix: "" | "peer-"): readonly string[] => [
    ...[`--${prefix}cert-file`, tls.server.cert],
    ...[`--${prefix}key-file`, tls.server.key],
    ...[`--${prefix}trusted-ca-file`, tls.ca],
    `--${prefix}client-cert-auth`,
  ];
  return [...forOne(""), ...forOne("peer-")];
}

/** Command line of a member of a new cluster made of `members`. */
export function memberArgs(
  binary: ServerBinary,
  member: MemberPlan,
  members: readonly MemberPlan[],
): readonly string[] {
  const client = clientUrl(member);
  const peerUrl = (port: number): string => `${scheme(member)}://127.0.0.1:${port}`;
  const args = [
    ...["--name", member.name],
    ...["--data-dir", member.dataDir],
    ...["--listen-client-urls", client],
    ...["--advertise-client-urls", client],
    ...["--listen-peer-urls", peerUrl(member.peerPort)],
    ...["--initial-advertise-peer-urls", peerUrl(member.advertisedPeerPort)],
    ...["--initial-cluster", members.map((of) => `${of.name}=${peerUrl(of.advertisedPeerPort)}`).join(",")],
    ...["--initial-cluster-state", "new"],
    ...(member.tls === undefined ? [] : tlsArgs(member.tls)),
  ];
  // Before 3.5 the log in JSON had to be asked for.
  return isAtLeast(binary.version, 3, 5) ? args : [...args, "--logger", "zap"];
}

export class RunningMember {
  constructor(
    readonly plan: MemberPlan,
    readonly process: TestProcess,
  ) {}

  get endpoint(): string {
    return clientEndpoint(this.plan);
  }

  url(path: string): string {
    return `${clientUrl(this.plan)}${path}`;
  }

  /** One GET of its client address, with a client certificate where it asks for one. */
  get(path: string, timeoutMs: number): Promise<HttpAnswer> {
    return httpGet(this.url(path), timeoutMs, this.plan.tls);
  }

  /** Resolves when /health says that a linearizable read is answered. Rejects when the process ends before. */
  async healthy(): Promise<void> {
    const deadline = Date.now() + readyTimeoutMs;
    while (this.process.running && Date.now() < deadline) {
      const answer = await this.get("/health", readyTimeoutMs).catch(() => undefined);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, healthPollMs));
    }
    const why = this.process.running
      ? `is not healthy after ${readyTimeoutMs} ms`
      : "ended before it was healthy";
    throw new Error(`${this.plan.name} ${why}:\n${this.process.stderr.tail(40)}`);
  }

  stop(): Promise<ProcessExit> {
    return this.process.stop(stopGraceMs);
  }
}

export function startMember(
  binary: ServerBinary,
  member: MemberPlan,
  options: { readonly members: readonly MemberPlan[]; readonly extraArgs: readonly string[] },
): RunningMember {
  const args = [...memberArgs(binary, member, options.members), ...options.extraArgs];
  return new RunningMember(
    member,
    new TestProcess(binary.path, args, { env: {}, cwd: undefined, input: undefined }),
  );
}

export interface RunningCluster {
  readonly members: readonly RunningMember[];
  /** "host:port" of each member's client address. */
  readonly endpoints: readonly string[];
  /** What a client needs besides; undefined: nothing. */
  readonly tls: TlsFiles | undefined;
  /** Kills all members and removes their directories: how a clean stop goes is not what their users ask about. */
  destroy(): Promise<void>;
}

export interface ClusterOptions {
  readonly extraArgs: readonly string[];
  readonly withTls: boolean;
  /** How much later than sent each byte between members arrives. Absent: as soon as the system carries it. */
  readonly linkDelayMs?: number | undefined;
}

async function startLinks(members: readonly MemberPlan[], delayMs: number): Promise<readonly LateLink[]> {
  return Promise.all(
    members.map((member) => startLateLink(member.advertisedPeerPort, member.peerPort, delayMs)),
  );
}

/** Starts `count` members of one new cluster and waits until each answers linearizable reads. */
export async function startCluster(
  binary: ServerBinary,
  count: number,
  options: ClusterOptions,
): Promise<RunningCluster> {
  const { linkDelayMs } = options;
  const plan = await planCluster(count, { ...options, behindRelays: linkDelayMs !== undefined });
  const links = linkDelayMs === undefined ? [] : await startLinks(plan.members, linkDelayMs);
  const members = plan.members.map((member) =>
    startMember(binary, member, { members: plan.members, extraArgs: options.extraArgs }),
  );
  const destroy = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.process.kill()));
    for (const link of links) link.stop();
    await plan.directory.remove();
  };
  try {
    await Promise.all(members.map((member) => member.healthy()));
  } catch (error) {
    await destroy();
    throw error;
  }
  return { members, endpoints: members.map((member) => member.endpoint), tls: plan.members[0]?.tls, destroy };
}
