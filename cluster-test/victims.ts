/** A cluster of real processes whose members can be killed, paused, cut off and started again, one by one. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type QuorateClient } from "../src/client/index.js";
import { type ProcessExit, TestProcess } from "../test/support/child-process.js";
import {
  type ClusterPlan,
  clientEndpoint,
  type MemberPlan,
  memberArgs,
  planCluster,
  RunningMember,
} from "../test/support/cluster.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { logMessage } from "../test/support/server-log.js";
import { within } from "./within.js";

/** Where the members run and how they are reached; loopback unless a scenario builds its own network. */
export interface Ground {
  endpoint(member: MemberPlan): string;
  /** The command line that runs a member in its place. */
  command(member: MemberPlan, path: string, args: readonly string[]): readonly string[];
  remove(): Promise<void>;
}

export interface VictimOptions {
  readonly count: number;
  readonly extraArgs: readonly string[];
  readonly ground: (plan: ClusterPlan) => Promise<Ground>;
}

export async function loopback(): Promise<Ground> {
  return { endpoint: clientEndpoint, command: (_, path, args) => [path, ...args], remove: async () => {} };
}

class PlacedMember extends RunningMember {
  constructor(
    plan: MemberPlan,
    process: TestProcess,
    private readonly address: string,
  ) {
    super(plan, process);
  }

  override get endpoint(): string {
    return this.address;
  }

  override url(path: string): string {
    return `http://${this.address}${path}`;
  }
}

const leaderPollMs = 50;
const leaderTimeoutMs = 30_000;
const loggedTimeoutMs = 60_000;
const complaint = /"level":"(error|dpanic|panic|fatal)"/;

export class Victims {
  private readonly running: RunningMember[];
  /** Complaints of processes that are gone. */
  private readonly complaints: string[] = [];

  private constructor(
    private readonly binary: ServerBinary,
    private readonly plan: ClusterPlan,
    private readonly ground: Ground,
    private readonly extraArgs: readonly string[],
    firstEnv: Readonly<Record<string, string>>,
  ) {
    this.running = plan.members.map((_, at) => this.spawn(at, firstEnv));
  }

  /** Begins to start all members; `env` is for this first start only. */
  static async launch(
    binary: ServerBinary,
    options: VictimOptions,
    env: Readonly<Record<string, string>>,
  ): Promise<Victims> {
    const plan = await planCluster(options.count);
    try {
      return new Victims(binary, plan, await options.ground(plan), options.extraArgs, env);
    } catch (error) {
      await plan.directory.remove();
      throw error;
    }
  }

  /** Starts all members and waits until each answers linearizable reads. */
  static async start(binary: ServerBinary, options: VictimOptions): Promise<Victims> {
    const victims = await Victims.launch(binary, options, {});
    try {
      await victims.allHealthy();
    } catch (error) {
      await victims.destroy();
      throw error;
    }
    return victims;
  }

  get count(): number {
    return this.running.length;
  }

  get endpoints(): readonly string[] {
    return this.plan.members.map((member) => this.ground.endpoint(member));
  }

  endpoint(at: number): string {
    return this.endpoints[at]!;
  }

  member(at: number): MemberPlan {
    return this.plan.members[at]!;
  }

  /** The process that is, or last was, member `at`. */
  process(at: number): TestProcess {
    return this.running[at]!.process;
  }

  others(at: number): readonly number[] {
    return this.running.map((_, other) => other).filter((other) => other !== at);
  }

  /** SIGKILL: no chance to write anything. Resolves when the process is gone. */
  async kill(at: number): Promise<void> {
    await this.running[at]!.process.kill();
  }

  /** All at the same moment. */
  async killAll(): Promise<void> {
    await Promise.all(this.running.map((member) => member.process.kill()));
  }

  signal(at: number, name: NodeJS.Signals): void {
    this.running[at]!.process.signal(name);
  }

  /** SIGTERM, and the end of the process. */
  stop(at: number): Promise<ProcessExit> {
    return this.running[at]!.stop();
  }

  /** Resolves when the process ended by itself. Rejects, with what it logged, when it lives on. */
  async died(at: number, timeoutMs: number): Promise<ProcessExit> {
    const victim = this.process(at);
    try {
      return await within(timeoutMs, `end of ${this.member(at).name}`, victim.exited);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it logged:\n${victim.stderr.tail(20)}`);
    }
  }

  restart(at: number, env: Readonly<Record<string, string>> = {}): void {
    this.complaints.push(...complaintsOf(this.running[at]!));
    this.running[at] = this.spawn(at, env);
  }

  async healthy(at: number): Promise<void> {
    await this.running[at]!.healthy();
  }

  async allHealthy(): Promise<void> {
    await Promise.all(this.running.map((member) => member.healthy()));
  }

  /** Resolves when the process that is member `at` now logs `message`, or has done so. */
  async logged(at: number, message: string): Promise<void> {
    const seen = this.process(at).stderr.waitFor(`"${message}"`, (line) => logMessage(line) === message);
    await within(loggedTimeoutMs, `"${message}" in the log of ${this.member(at).name}`, seen);
  }

  hasLogged(at: number, message: string): boolean {
    return this.process(at).stderr.lines.some((line) => logMessage(line) === message);
  }

  connect(): QuorateClient {
    return connect({ endpoints: this.endpoints, timeouts: { callMs: 30_000 } });
  }

  /** A client of member `at` alone. */
  connectTo(at: number): QuorateClient {
    return connect({ endpoints: [this.endpoint(at)] });
  }

  /** The member that says that it leads, asking `among` only; waits for one. */
  async leader(among: readonly number[] = this.running.map((_, at) => at)): Promise<number> {
    const deadline = Date.now() + leaderTimeoutMs;
    while (Date.now() < deadline) {
      const leads = await Promise.all(among.map((at) => this.leads(at)));
      const found = leads.indexOf(true);
      if (found >= 0) return among[found]!;
      await delay(leaderPollMs);
    }
    throw new Error("no member says that it leads");
  }

  /** Hands leadership to member `at`. */
  async makeLeader(at: number): Promise<void> {
    const leader = await this.leader();
    if (leader === at) return;
    await using client = this.connectTo(leader);
    await using other = this.connectTo(at);
    const { header } = await other.maintenance.status();
    await client.maintenance.moveLeader(header!.memberId);
  }

  /** Whether member `at` says that it leads; false where it says nothing. */
  async leads(at: number): Promise<boolean> {
    await using client = this.connectTo(at);
    try {
      const { leader, header } = await client.maintenance.status({ timeoutMs: 1_000 });
      return leader !== 0n && leader === header!.memberId;
    } catch {
      return false;
    }
  }

  /** Lines that no member should have written. */
  errorLines(): readonly string[] {
    return [...this.complaints, ...this.running.flatMap(complaintsOf)];
  }

  /** Forgets the complaints that a scenario has caused on purpose. */
  forgiveErrors(at: number): void {
    this.process(at).stderr.lines.length = 0;
  }

  async destroy(): Promise<void> {
    await this.killAll();
    try {
      await this.ground.remove();
    } finally {
      await this.plan.directory.remove();
    }
  }

  private spawn(at: number, env: Readonly<Record<string, string>>): RunningMember {
    const { members } = this.plan;
    const member = members[at]!;
    const args = [...memberArgs(this.binary, member, members), ...this.extraArgs];
    const [command, ...rest] = this.ground.command(member, this.binary.path, args);
    const started = new TestProcess(command!, rest, { env, cwd: undefined, input: undefined });
    return new PlacedMember(member, started, this.ground.endpoint(member));
  }
}

function complaintsOf(member: RunningMember): readonly string[] {
  return member.process.stderr.lines.filter((line) => complaint.test(line));
}
