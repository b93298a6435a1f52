/** The servers under test: processes of one side, started alike. */
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../src/client/index.js";
import { TestProcess } from "../test/support/child-process.js";
import { type MemberPlan, memberArgs, RunningMember } from "../test/support/cluster.js";
import { freePorts } from "../test/support/ports.js";
import { interpreterFlags, type ServerBinary } from "../test/support/server-binary.js";
import { startProbe } from "./generator.js";
import { cpuSeconds, residentBytes } from "./proc.js";
import type { Side } from "./results.js";

const leaderTimeoutMs = 20_000;
const leaderPollMs = 50;
const restartTimeoutMs = 120_000;

/** How the program is started; a profile puts the interpreter's own flags before it. */
export interface Launch {
  readonly binary: ServerBinary;
  readonly command: string;
  readonly firstArgs: readonly string[];
}

export type Launches = Partial<Record<Side, Launch>>;

export function plainLaunch(binary: ServerBinary): Launch {
  return { binary, command: binary.path, firstArgs: [] };
}

/**
 * Ours by the interpreter itself, since the program's door (bin/etcd) has no place for its flags; those of the door come
 * first. `program` is a path under dist/.
 */
export function interpreterLaunch(binary: ServerBinary, program: string, flags: readonly string[]): Launch {
  const main = join(dirname(dirname(binary.path)), "dist", program);
  const firstArgs = [...interpreterFlags(binary.path), ...flags, main];
  return { binary, command: process.execPath, firstArgs };
}

/** A running cluster of one side, its data in a directory of its own. */
export class BenchCluster {
  private constructor(
    readonly side: Side,
    private readonly launch: Launch,
    private readonly directory: string,
    private readonly plans: readonly MemberPlan[],
    private members: RunningMember[],
    private orderedEndpoints: readonly string[],
  ) {}

  static async start(
    side: Side,
    launch: Launch,
    options: { readonly members: number; readonly under: string },
  ): Promise<BenchCluster> {
    const directory = await mkdtemp(join(options.under, `quorate-bench-${side}-`));
    const ports = await freePorts(2 * options.members);
    const plans = Array.from({ length: options.members }, (_, at) => ({
      name: `m${at + 1}`,
      dataDir: join(directory, `m${at + 1}`),
      clientPort: ports[2 * at]!,
      peerPort: ports[2 * at + 1]!,
      advertisedPeerPort: ports[2 * at + 1]!,
    }));
    const cluster = new BenchCluster(side, launch, directory, plans, [], []);
    try {
      cluster.members = plans.map((plan) => cluster.spawn(plan));
      await Promise.all(cluster.members.map((member) => member.healthy()));
      await cluster.findLeader();
      return cluster;
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
  }

  /** "host:port" of all members, the leader first: one client alone asks the leader, on either side. */
  get endpoints(): readonly string[] {
    return this.orderedEndpoints;
  }

  get version(): string {
    return this.launch.binary.version;
  }

  get cpuSeconds(): number {
    return this.members.reduce((sum, member) => sum + cpuSeconds(member.process.pid), 0);
  }

  get residentBytes(): number {
    return this.members.reduce((sum, member) => sum + residentBytes(member.process.pid), 0);
  }

  /** Stops the only member cleanly and starts it. Milliseconds from its start to its first linearizable answer. */
  async restart(generator: string): Promise<number> {
    await this.members[0]!.stop();
    const probe = await startProbe(generator, this.endpoints[0]!, restartTimeoutMs);
    const startedAt = performance.timeOrigin + performance.now();
    this.members = [this.spawn(this.plans[0]!)];
    return (await probe.answeredAt) - startedAt;
  }

  signal(signal: NodeJS.Signals): void {
    for (const member of this.members) member.process.signal(signal);
  }

  /** Ends all members as an operator would, so that what they write at the end is written. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }

  async destroy(): Promise<void> {
    await Promise.all(this.members.map((member) => member.process.kill().catch(() => undefined)));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  private spawn(plan: MemberPlan): RunningMember {
    const { binary, command, firstArgs } = this.launch;
    const args = [...firstArgs, ...memberArgs(binary, plan, this.plans)];
    return new RunningMember(
      plan,
      new TestProcess(command, args, { env: {}, cwd: this.directory, input: undefined }),
    );
  }

  private async findLeader(): Promise<void> {
    const endpoints = this.members.map((member) => member.endpoint);
    await using client = connect({ endpoints });
    for (const deadline = Date.now() + leaderTimeoutMs; Date.now() < deadline; await delay(leaderPollMs)) {
      for (const endpoint of endpoints) {
        const status = await client.maintenance.status({ endpoint });
        if (status.leader === 0n || status.leader !== status.header?.memberId) continue;
        this.orderedEndpoints = [endpoint, ...endpoints.filter((other) => other !== endpoint)];
        return;
      }
    }
    throw new Error(`no member of ${this.side} leads`);
  }
}
