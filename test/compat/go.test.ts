/** etcd's own Go client against every target: each test of test/compat/go appears here under its name. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaveOut } from "../support/leave-out.js";
import { findProgram, isAtLeast } from "../support/server-binary.js";
import { GoTestRun, runTimeoutSeconds } from "./go-run.js";
import { goDirectory, goTestBinary } from "./prepare.js";
import { describeTargets, prepareTimeoutMs, type TargetCluster } from "./targets.js";

/** The first one waits for the whole run. */
const resultTimeoutMs = (runTimeoutSeconds + 10) * 1_000;

interface GoTest {
  readonly name: string;
  /** The version that brought what it asks for. */
  readonly since: readonly [major: number, minor: number] | undefined;
}

/** Names of the tests, as they stand in the sources: they are known even where Go is missing. */
function listGoTests(): readonly GoTest[] {
  const sources = readdirSync(goDirectory).filter((file) => file.endsWith("_test.go"));
  const names = sources.flatMap((file) =>
    [...readFileSync(join(goDirectory, file), "utf8").matchAll(/^func (Test\w+)\(t \*testing\.T\)/gm)].map(
      (match) => match[1]!,
    ),
  );
  return names.map((name) => {
    const version = /_Since(\d+)_(\d+)$/.exec(name);
    return { name, since: version === null ? undefined : [Number(version[1]), Number(version[2])] };
  });
}

const goTests = listGoTests();
const goTitles = goTests.map((each) => each.name);

function defineGoTests(cluster: TargetCluster): void {
  const { version } = cluster.target.binary;
  const fits = (each: GoTest): boolean => each.since === undefined || isAtLeast(version, ...each.since);
  let run: GoTestRun | undefined;
  beforeAll(async () => {
    run = new GoTestRun(await goTestBinary(), {
      cluster: cluster.cluster,
      version,
      leftOut: goTests.filter((each) => !fits(each)).map((each) => each.name),
    });
  }, prepareTimeoutMs);
  afterAll(async () => run?.stop());
  for (const each of goTests) {
    if (!fits(each)) {
      test.skip(`${each.name} (left out: this is ${version})`, () => undefined);
      continue;
    }
    test(
      each.name,
      async () => {
        const result = await run!.result(each.name);
        expect(result.verdict, result.output).toBe("PASS");
      },
      resultTimeoutMs,
    );
  }
}

describe("Go clientv3", () => {
  if (findProgram("go") === undefined) leaveOut(goTitles, "go is not in PATH");
  else describeTargets(goTitles, defineGoTests);
});
