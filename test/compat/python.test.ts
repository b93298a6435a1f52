/** A Python client (aetcd, on grpc.aio) against every target: each case of test/compat/python appears here by name. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runToEnd } from "../support/child-process.js";
import { leaveOut } from "../support/leave-out.js";
import { findProgram } from "../support/server-binary.js";
import { pythonDirectory, pythonInterpreter } from "./prepare.js";
import { describeTargets, prepareTimeoutMs, type TargetCluster, tlsEnvironment } from "./targets.js";

const runTimeoutMs = 120_000;

/** Names as they stand in the sources: they are known even where Python is missing. */
function listCases(): readonly string[] {
  const sources = readdirSync(pythonDirectory)
    .filter((file) => file.endsWith("_cases.py"))
    .sort();
  return sources.flatMap((file) =>
    [...readFileSync(join(pythonDirectory, file), "utf8").matchAll(/^async def case_(\w+)\(/gm)].map(
      (match) => match[1]!,
    ),
  );
}

const titles = listCases().map((name) => name.replaceAll("_", " "));

interface CaseResult {
  readonly name: string;
  readonly error: string | null;
}

async function runCases(cluster: TargetCluster): Promise<ReadonlyMap<string, string | null>> {
  const finished = await runToEnd(await pythonInterpreter(), ["-u", join(pythonDirectory, "run.py")], {
    env: {
      QUORATE_COMPAT_ENDPOINTS: cluster.endpoints.join(","),
      PYTHONDONTWRITEBYTECODE: "1",
      ...tlsEnvironment(cluster.cluster.tls),
    },
    cwd: pythonDirectory,
    input: undefined,
    timeoutMs: runTimeoutMs,
  });
  const lines = finished.stdout.split("\n").filter((line) => line.startsWith("{"));
  const results = lines.map((line) => JSON.parse(line) as CaseResult);
  const byTitle = new Map(results.map((result) => [result.name.replaceAll("_", " "), result.error]));
  const ended = `the run ended before it (code ${finished.code}):\n${finished.stderr}`;
  for (const title of titles) if (!byTitle.has(title)) byTitle.set(title, ended);
  return byTitle;
}

function definePythonTests(cluster: TargetCluster): void {
  let results: ReadonlyMap<string, string | null> = new Map();
  beforeAll(async () => {
    results = await runCases(cluster);
  }, prepareTimeoutMs);
  for (const title of titles) {
    test(title, () => {
      expect(results.get(title)).toBe(null);
    });
  }
}

describe("Python aetcd", () => {
  if (findProgram("python3") === undefined) leaveOut(titles, "python3 is not in PATH");
  else describeTargets(titles, definePythonTests);
});
