/** A cluster of real processes whose members can be killed and started again, one by one. */
import {
  type ClusterPlan,
  clientEndpoint,
  planCluster,
  type RunningMember,
  startMember,
} from "../test/support/cluster.js";
import type { ServerBinary } from "../test/support/server-binary.js";

export class Victims {
  private readonly running: RunningMember[];

  private constructor(
    private readonly binary: ServerBinary,
    private readonly plan: ClusterPlan,
    private readonly extraArgs: readonly string[],
  ) {
    this.running = plan.members.map((_, at) => this.spawn(at));
  }

  static async start(binary: ServerBinary, count: number, extraArgs: readonly string[]): Promise<Victims> {
    const victims = new Victims(binary, await planCluster(count), extraArgs);
    await victims.allHealthy();
    return victims;
  }

  get count(): number {
    return this.running.length;
  }

  get endpoints(): readonly string[] {
    return this.plan.members.map(clientEndpoint);
  }

  endpoint(at: number): string {
    return this.endpoints[at]!;
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

  restart(at: number): void {
    this.running[at] = this.spawn(at);
  }

  async healthy(at: number): Promise<void> {
    await this.running[at]!.healthy();
  }

  async allHealthy(): Promise<void> {
    await Promise.all(this.running.map((member) => member.healthy()));
  }

  /** Lines that no member should have written. */
  errorLines(): readonly string[] {
    return this.running.flatMap((member) =>
      member.process.stderr.lines.filter((line) => /"level":"(error|dpanic|panic|fatal)"/.test(line)),
    );
  }

  async destroy(): Promise<void> {
    await this.killAll();
    await this.plan.directory.remove();
  }

  private spawn(at: number): RunningMember {
    return startMember(this.binary, this.plan.members[at]!, {
      members: this.plan.members,
      extraArgs: this.extraArgs,
    });
  }
}
