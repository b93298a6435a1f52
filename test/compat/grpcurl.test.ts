/** grpcurl and the load generator ghz: tools that know a server by its reflection alone, and need no files. */
import { beforeAll, describe, expect, test } from "vitest";
import { type FinishedProcess, runToEnd } from "../support/child-process.js";
import { leaveOut } from "../support/leave-out.js";
import { findProgram } from "../support/server-binary.js";
import { goTool } from "../tools/go-tools.js";
import { describeTargets, prepareTimeoutMs, type TargetCluster } from "./targets.js";

const runTimeoutMs = 60_000;

interface Tools {
  readonly grpcurl: string;
  readonly ghz: string;
}

interface ToolCase {
  readonly title: string;
  readonly run: (tools: Tools, cluster: TargetCluster) => Promise<void>;
}

function runTool(path: string, args: readonly string[]): Promise<FinishedProcess> {
  return runToEnd(path, args, { env: {}, cwd: undefined, input: undefined, timeoutMs: runTimeoutMs });
}

/** What grpcurl prints when it is asked for `what` at the first member. */
async function grpcurl(
  { grpcurl: path }: Tools,
  cluster: TargetCluster,
  what: { readonly flags?: readonly string[]; readonly words: readonly string[] },
): Promise<string> {
  const { tls } = cluster.cluster;
  const security =
    tls === undefined
      ? ["-plaintext"]
      : ["-cacert", tls.ca, "-cert", tls.client.cert, "-key", tls.client.key];
  const finished = await runTool(path, [
    ...security,
    ...(what.flags ?? []),
    cluster.endpoints[0]!,
    ...what.words,
  ]);
  expect(finished.code, finished.stderr).toBe(0);
  return finished.stdout;
}

async function call(tools: Tools, cluster: TargetCluster, method: string, request: object): Promise<Answer> {
  const flags = ["-d", JSON.stringify(request)];
  return JSON.parse(await grpcurl(tools, cluster, { flags, words: [method] })) as Answer;
}

interface Answer {
  readonly header: { readonly revision: string };
  readonly kvs?: readonly { readonly key: string; readonly value: string; readonly modRevision: string }[];
  readonly count?: string;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

const grpcurlCases: readonly ToolCase[] = [
  {
    title: "list names every service",
    run: async (tools, cluster) => {
      const services = (await grpcurl(tools, cluster, { words: ["list"] })).split("\n");
      const known = ["Cluster", "KV", "Lease", "Maintenance", "Watch"].map((name) => `etcdserverpb.${name}`);
      expect(services).toEqual(expect.arrayContaining([...known, "v3electionpb.Election", "v3lockpb.Lock"]));
      expect(services).toContain("grpc.health.v1.Health");
      for (const service of services) {
        const described = await grpcurl(tools, cluster, { words: ["describe", service] });
        expect(described.split("\n")[0]).toBe(`${service} is a service:`);
      }
    },
  },
  {
    title: "describe shows the methods of a service, and the fields of a message with its numbers",
    run: async (tools, cluster) => {
      const service = await grpcurl(tools, cluster, { words: ["describe", "etcdserverpb.KV"] });
      expect(service).toContain(
        "rpc Range ( .etcdserverpb.RangeRequest ) returns ( .etcdserverpb.RangeResponse );",
      );
      expect(service).toContain("returns ( stream .etcdserverpb.RangeStreamResponse );");
      const message = await grpcurl(tools, cluster, { words: ["describe", "etcdserverpb.RangeRequest"] });
      expect(message).toContain("bytes range_end = 2;");
      expect(message).toContain(".etcdserverpb.RangeRequest.SortTarget sort_target = 6;");
      const method = await grpcurl(tools, cluster, { words: ["describe", "etcdserverpb.Watch.Watch"] });
      expect(method).toContain("etcdserverpb.Watch.Watch is a method:");
    },
  },
  {
    title: "calls by reflection: put and range",
    run: async (tools, cluster) => {
      const key = base64("grpcurl/a");
      const put = await call(tools, cluster, "etcdserverpb.KV/Put", { key, value: base64("1") });
      const range = await call(tools, cluster, "etcdserverpb.KV/Range", { key });
      expect(range.kvs).toEqual([
        expect.objectContaining({ key, value: base64("1"), modRevision: put.header.revision }),
      ]);
      expect(range.count).toBe("1");
    },
  },
  {
    title: "a call that fails shows code and text",
    run: async (tools, cluster) => {
      await expect(
        call(tools, cluster, "etcdserverpb.KV/Range", { key: base64("a"), revision: "1000000" }),
      ).rejects.toThrow(/Code: OutOfRange[\s\S]*required revision is a future revision/);
    },
  },
];

interface LoadReport {
  readonly count: number;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly errorDistribution: Readonly<Record<string, number>>;
}

const callCount = 3_000;

async function load(
  { ghz }: Tools,
  cluster: TargetCluster,
  method: string,
  request: object,
): Promise<LoadReport> {
  const { tls } = cluster.cluster;
  const security =
    tls === undefined
      ? ["--insecure"]
      : ["--cacert", tls.ca, "--cert", tls.client.cert, "--key", tls.client.key];
  const size = ["-n", String(callCount), "-c", "50", "--connections", "5"];
  const finished = await runTool(ghz, [
    ...security,
    ...size,
    ...["--call", method, "-d", JSON.stringify(request), "-O", "json"],
    cluster.endpoints[0]!,
  ]);
  expect(finished.code, finished.stderr).toBe(0);
  return JSON.parse(finished.stdout) as LoadReport;
}

const loadCases: readonly ToolCase[] = [
  {
    title: `ghz: ${callCount} puts and ranges over five connections, all answered`,
    run: async (tools, cluster) => {
      const key = base64("ghz/{{.RequestNumber}}");
      for (const [method, request] of [
        ["etcdserverpb.KV/Put", { key, value: base64("v".repeat(256)) }],
        ["etcdserverpb.KV/Range", { key }],
      ] as const) {
        const report = await load(tools, cluster, method, request);
        expect(report.statusCodeDistribution, JSON.stringify(report.errorDistribution)).toEqual({
          OK: callCount,
        });
        expect(report.count).toBe(callCount);
      }
    },
  },
];

const cases = [...grpcurlCases, ...loadCases];
const titles = cases.map((each) => each.title);

function defineCases(cluster: TargetCluster): void {
  let tools: Tools = { grpcurl: "", ghz: "" };
  beforeAll(async () => {
    tools = { grpcurl: await goTool("grpcurl"), ghz: await goTool("ghz") };
  }, prepareTimeoutMs);
  for (const { title, run } of cases) {
    if (cluster.target.binary.ours) test(title, () => run(tools, cluster), runTimeoutMs);
    else test.skip(`${title} (left out: etcd has no reflection)`, () => undefined);
  }
}

describe("tools by reflection", () => {
  if (findProgram("go") === undefined) leaveOut(titles, "go is not in PATH");
  else describeTargets(titles, defineCases);
});
