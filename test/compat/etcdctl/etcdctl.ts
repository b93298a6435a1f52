import { describe, expect } from "vitest";
import { type FinishedProcess, runToEnd, TestProcess } from "../../support/child-process.js";
import { leaveOut } from "../../support/leave-out.js";
import { findProgram } from "../../support/server-binary.js";
import { type Cases, describeCases, type TargetCluster } from "../targets.js";

const commandTimeoutMs = 20_000;

/** Debian's etcdctl, speaking to all members of a cluster. */
export class Etcdctl {
  constructor(
    readonly path: string,
    readonly cluster: TargetCluster,
  ) {}

  /** The flags that say where the cluster is, and who asks. */
  get connection(): readonly string[] {
    const { endpoints, cluster } = this.cluster;
    const where = ["--endpoints", endpoints.join(",")];
    if (cluster.tls === undefined) return where;
    const { ca, client } = cluster.tls;
    return [...where, "--cacert", ca, "--cert", client.cert, "--key", client.key];
  }

  run(args: readonly string[], input?: string): Promise<FinishedProcess> {
    return runToEnd(this.path, [...this.connection, ...args], {
      env: { ETCDCTL_API: "3" },
      cwd: undefined,
      input,
      timeoutMs: commandTimeoutMs,
    });
  }

  /** One that goes on until it is told to end. */
  start(args: readonly string[]): TestProcess {
    return new TestProcess(this.path, [...this.connection, ...args], {
      env: { ETCDCTL_API: "3" },
      cwd: undefined,
      input: undefined,
    });
  }

  /** What it printed; the command has to succeed. */
  async ok(args: readonly string[], input?: string): Promise<string> {
    const finished = await this.run(args, input);
    expect(finished.code, `etcdctl ${args.join(" ")}: ${finished.stderr}`).toBe(0);
    return finished.stdout;
  }

  /** The answer in JSON. 64-bit ids lose their last digits; revisions do not. */
  async json(args: readonly string[], input?: string): Promise<JsonAnswer> {
    return JSON.parse(await this.ok(["--write-out", "json", ...args], input)) as JsonAnswer;
  }

  /** The exit code and the last line on stderr; the command has to fail. */
  async fails(args: readonly string[], input?: string): Promise<string> {
    const finished = await this.run(args, input);
    const lines = finished.stderr.split("\n").filter((line) => line.startsWith("Error"));
    return `${finished.code} ${lines[0] ?? finished.stderr}`;
  }

  async revision(): Promise<number> {
    return (await this.json(["get", "no such key"])).header.revision;
  }
}

/** The cases on every target, left out where there is no etcdctl in the search path. */
export function describeEtcdctl(title: string, cases: Cases<Etcdctl>): void {
  describe(title, () => {
    const path = findProgram("etcdctl");
    if (path === undefined) leaveOut(Object.keys(cases), "etcdctl is not in PATH");
    else
      describeCases(
        cases,
        async (cluster) => new Etcdctl(path, cluster),
        async () => undefined,
      );
  });
}

export interface JsonHeader {
  readonly cluster_id: number;
  readonly member_id: number;
  readonly revision: number;
  readonly raft_term: number;
}

export interface JsonPair {
  readonly key: string;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly version: number;
  readonly value?: string;
}

export interface JsonAnswer {
  readonly header: JsonHeader;
  readonly kvs?: readonly JsonPair[];
  readonly count?: number;
  readonly more?: boolean;
  readonly deleted?: number;
  readonly prev_kvs?: readonly JsonPair[];
  readonly succeeded?: boolean;
  readonly responses?: readonly unknown[];
}

export function base64(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}
