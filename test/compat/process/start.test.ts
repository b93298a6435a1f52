/** How a server process starts, refuses to start and ends: what service managers and operators live with. */
import { writeFile } from "node:fs/promises";
import { describe, expect } from "vitest";
import { type FinishedProcess, runToEnd } from "../../support/child-process.js";
import {
  type ClusterPlan,
  memberArgs,
  planCluster,
  type RunningMember,
  startMember,
} from "../../support/cluster.js";
import { isAtLeast, type ServerBinary } from "../../support/server-binary.js";
import { logMessage, parseServerLogLine } from "../../support/server-log.js";
import { describeBinaries, type ProcessCase } from "./binaries.js";

/** Time that a stop may take; a service manager's patience, and compat.md's promise. */
const stopMsMax = 1_500;
const refusalTimeoutMs = 15_000;

async function withPlan(count: number, use: (plan: ClusterPlan) => Promise<void>): Promise<void> {
  const plan = await planCluster(count);
  try {
    await use(plan);
  } finally {
    await plan.directory.remove();
  }
}

async function withMember(
  binary: ServerBinary,
  use: (member: RunningMember, plan: ClusterPlan) => Promise<void>,
): Promise<void> {
  await withPlan(1, async (plan) => {
    const member = startMember(binary, plan.members[0]!, { members: plan.members, extraArgs: [] });
    try {
      await member.healthy();
      await use(member, plan);
    } finally {
      await member.process.kill();
    }
  });
}

/** Runs a server that is expected to refuse its start. */
function refused(binary: ServerBinary, args: readonly string[]): Promise<FinishedProcess> {
  return runToEnd(binary.path, args, {
    env: {},
    cwd: undefined,
    input: undefined,
    timeoutMs: refusalTimeoutMs,
  });
}

/** Arguments of the only member of a plan, with some replaced by name. */
function replacedArgs(
  binary: ServerBinary,
  plan: ClusterPlan,
  replacements: Readonly<Record<string, string>>,
): readonly string[] {
  const args = [...memberArgs(binary, plan.members[0]!, plan.members)];
  for (const [flag, value] of Object.entries(replacements)) {
    const at = args.indexOf(`--${flag}`);
    if (at < 0) args.push(`--${flag}`, value);
    else args[at + 1] = value;
  }
  return args;
}

/** The failure that a refused start logs last. */
function fatalError(finished: FinishedProcess): string {
  const lines = finished.stderr.split("\n").map(parseServerLogLine);
  const fatal = lines.find((line) => line?.level === "fatal" || line?.msg === "failed to verify flags");
  return fatal === undefined ? finished.stderr : `${fatal.msg}: ${String(fatal.error)}`;
}

const commandLine: readonly ProcessCase[] = [
  {
    title: "--version prints the version first",
    run: async (binary) => {
      const finished = await refused(binary, ["--version"]);
      expect([finished.code, finished.stderr]).toEqual([0, ""]);
      expect(finished.stdout.split("\n")[0]).toBe(`etcd Version: ${binary.version}`);
    },
  },
  {
    title: "an unknown flag ends with code 2 and names it",
    run: async (binary) => {
      const finished = await refused(binary, ["--no-such-flag"]);
      expect([finished.code, finished.stdout]).toEqual([2, ""]);
      expect(finished.stderr.split("\n")[0]).toBe("flag provided but not defined: -no-such-flag");
    },
  },
  {
    title: "a flag with a value of the wrong kind ends with code 2",
    run: async (binary) => {
      const finished = await refused(binary, ["--election-timeout=abc"]);
      expect([finished.code, finished.stdout]).toEqual([2, ""]);
      expect(finished.stderr.split("\n")[0]).toBe(
        'invalid value "abc" for flag -election-timeout: parse error',
      );
    },
  },
  {
    title: "a word that is no flag ends with code 1",
    run: async (binary) => {
      const finished = await refused(binary, ["word"]);
      expect([finished.code, finished.stdout]).toEqual([1, ""]);
      expect(finished.stderr).toMatch(/word\\?['"] is not a valid flag/);
    },
  },
  {
    title: "an election timeout below five heartbeats ends with code 1",
    run: (binary) =>
      withPlan(1, async (plan) => {
        const args = replacedArgs(binary, plan, { "heartbeat-interval": "500", "election-timeout": "1000" });
        const finished = await refused(binary, args);
        expect(finished.code).toBe(1);
        expect(fatalError(finished)).toBe(
          "failed to verify flags: --election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[500ms]",
        );
      }),
  },
  {
    title: "a name that the initial cluster does not have ends with code 1",
    run: (binary) =>
      withPlan(1, async (plan) => {
        const finished = await refused(binary, replacedArgs(binary, plan, { name: "stranger" }));
        expect(finished.code).toBe(1);
        expect(fatalError(finished)).toContain('couldn\'t find local name "stranger" in the initial cluster');
      }),
  },
];

const resources: readonly ProcessCase[] = [
  {
    title: "a client port in use ends with code 1 and says so",
    run: (binary) =>
      withMember(binary, async (member) =>
        withPlan(1, async (other) => {
          const url = `http://${member.endpoint}`;
          const args = replacedArgs(binary, other, {
            "listen-client-urls": url,
            "advertise-client-urls": url,
          });
          const finished = await refused(binary, args);
          expect(finished.code).toBe(1);
          expect(fatalError(finished)).toContain(
            `listen tcp ${member.endpoint}: bind: address already in use`,
          );
        }),
      ),
  },
  {
    title: "a peer port in use ends with code 1 and says so",
    run: (binary) =>
      withMember(binary, async (member) =>
        withPlan(1, async (other) => {
          const url = `http://127.0.0.1:${member.plan.peerPort}`;
          const args = replacedArgs(binary, other, {
            "listen-peer-urls": url,
            "initial-advertise-peer-urls": url,
            "initial-cluster": `m1=${url}`,
          });
          const finished = await refused(binary, args);
          expect(finished.code).toBe(1);
          expect(fatalError(finished)).toContain(`listen tcp ${url.slice(7)}: bind: address already in use`);
        }),
      ),
  },
  {
    title: "a data directory that is a file ends with code 1",
    run: (binary) =>
      withPlan(1, async (plan) => {
        await writeFile(plan.members[0]!.dataDir, "");
        const finished = await refused(binary, memberArgs(binary, plan.members[0]!, plan.members));
        expect([finished.code, finished.stdout]).toEqual([1, ""]);
        expect(finished.stderr).toContain("not a directory");
      }),
  },
  {
    title: "a data directory that another process uses ends with code 1",
    oursAlone: "etcd waits for the other process without end",
    run: (binary) =>
      withMember(binary, async (member) =>
        withPlan(1, async (other) => {
          const finished = await refused(
            binary,
            replacedArgs(binary, other, { "data-dir": member.plan.dataDir }),
          );
          expect(finished.code).toBe(1);
        }),
      ),
  },
  {
    title: "etcd goes on as the member that the data directory holds, whatever the flags say",
    etcdAlone: "ours refuses: see the next case",
    run: (binary) =>
      withPlan(2, async (plan) => {
        const [first, stranger] = plan.members;
        const started = startMember(binary, first!, { members: [first!], extraArgs: [] });
        await started.healthy();
        await started.stop();
        const before = started.process.stderr.lines
          .map(parseServerLogLine)
          .find((line) => line?.["cluster-id"]);
        expect(before).toBeDefined();
        const moved = { ...stranger!, dataDir: first!.dataDir };
        const again = startMember(binary, moved, {
          members: [moved],
          extraArgs: ["--initial-cluster-token", "other"],
        });
        try {
          await again.healthy();
          const after = again.process.stderr.lines
            .map(parseServerLogLine)
            .find((line) => line?.["cluster-id"]);
          expect(after?.["cluster-id"]).toBe(before?.["cluster-id"]);
        } finally {
          await again.process.kill();
        }
      }),
  },
  {
    title: "the data directory of another cluster ends with code 1 and says so",
    oursAlone: "etcd goes on with what the directory holds",
    run: (binary) =>
      withPlan(2, async (plan) => {
        const [first, stranger] = plan.members;
        const started = startMember(binary, first!, { members: [first!], extraArgs: [] });
        await started.healthy();
        await started.stop();
        const moved = { ...stranger!, dataDir: first!.dataDir };
        const finished = await refused(binary, [
          ...memberArgs(binary, moved, [moved]),
          "--initial-cluster-token=other",
        ]);
        expect(finished.code).toBe(1);
        expect(finished.stderr).toContain("holds a member of cluster");
      }),
  },
];

const life: readonly ProcessCase[] = [
  {
    title: "the log says when requests are served",
    since: [3, 5],
    run: (binary) =>
      withMember(binary, async (member) => {
        await member.process.stderr.waitFor(
          "the line",
          (line) => logMessage(line) === "ready to serve client requests",
        );
      }),
  },
  {
    title: "every line of the log is JSON on stderr, and nothing is on stdout",
    run: (binary) =>
      withMember(binary, async (member) => {
        await member.stop();
        expect(member.process.stdout.text).toBe("");
        const time = isAtLeast(binary.version, 3, 5) ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z$/ : /Z$/;
        for (const line of member.process.stderr.lines) {
          // etcd 3.4 hands on what its gRPC library says, as it says it.
          if (!binary.ours && line.startsWith("WARNING: ")) continue;
          const parsed = parseServerLogLine(line);
          expect(parsed, line).toBeDefined();
          expect(parsed!.ts).toMatch(time);
        }
      }),
  },
  {
    title: "a clean run logs no error",
    oursAlone: "etcd logs its own closed listeners as errors",
    run: (binary) =>
      withMember(binary, async (member) => {
        await member.stop();
        const levels = member.process.stderr.lines.map((line) => parseServerLogLine(line)?.level);
        expect(levels.filter((level) => level !== "info" && level !== "warn" && level !== "debug")).toEqual(
          [],
        );
      }),
  },
  ...(["SIGTERM", "SIGINT"] as const).map((signal) => ({
    title: `${signal} ends the process by that signal in time`,
    run: (binary: ServerBinary) =>
      withMember(binary, async (member) => {
        const began = Date.now();
        member.process.signal(signal);
        expect(await member.process.exited).toEqual({ code: null, signal });
        expect(Date.now() - began).toBeLessThan(stopMsMax);
      }),
  })),
  {
    title: "all members of a cluster end in time when they are told at once",
    oursAlone: "etcd promises no time",
    run: (binary) =>
      withPlan(3, async (plan) => {
        const members = plan.members.map((member) =>
          startMember(binary, member, { members: plan.members, extraArgs: [] }),
        );
        try {
          await Promise.all(members.map((member) => member.healthy()));
          const began = Date.now();
          const exits = await Promise.all(members.map((member) => member.stop()));
          expect(exits.map((exit) => exit.signal)).toEqual(["SIGTERM", "SIGTERM", "SIGTERM"]);
          // Three processes share the processors: each of them has its time and they have it together.
          expect(Date.now() - began).toBeLessThan(2 * stopMsMax);
        } finally {
          await Promise.all(members.map((member) => member.process.kill()));
        }
      }),
  },
];

describe("command line", () => describeBinaries(commandLine));
describe("ports and directories", () => describeBinaries(resources));
describe("log and signals", () => describeBinaries(life));
