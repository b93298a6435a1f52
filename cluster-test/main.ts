/**
 * `npm run cluster-test [-- <scenario> [rounds]]`: the long forms, one after the other; `all` is the default.
 * `-- list` names them.
 */
import { requireOurBinary } from "../test/support/server-binary.js";
import type { Scenario } from "./scenario.js";
import { scenarios } from "./scenarios.js";

const [wanted = "all", roundsText] = process.argv.slice(2).filter((word) => word !== "--");
const rounds = roundsText === undefined ? undefined : Number(roundsText);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
  throw new Error(`rounds are a number from 1 on, not ${roundsText}`);
}
// The members end with this process (test/support/child-process.ts), which a signal alone would not see to.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

if (wanted === "list") {
  for (const { name, about } of scenarios) console.log(`${name.padEnd(24)}${about}`);
} else {
  process.exitCode = await runAll(chosen(wanted));
}

function chosen(name: string): readonly Scenario[] {
  if (name === "all") return scenarios;
  const found = scenarios.filter((scenario) => scenario.name === name);
  if (found.length === 0) {
    throw new Error(`no scenario ${name}; there are all, ${scenarios.map((known) => known.name).join(", ")}`);
  }
  return found;
}

/** The exit code. A scenario that fails does not keep the others from running. */
async function runAll(list: readonly Scenario[]): Promise<number> {
  const binary = requireOurBinary();
  let failed = 0;
  for (const { name, run } of list) {
    const startedMs = performance.now();
    const seconds = (): string => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
    try {
      const report = await run({
        binary,
        rounds,
        log: (line) => console.log(`  ${name}: ${line}`),
      });
      if (typeof report === "string") console.log(`skip ${name}: ${report}`);
      else console.log(`ok   ${name} (${seconds()}) ${JSON.stringify(report)}`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name} (${seconds()})`, error);
    }
  }
  console.log(`${list.length - failed} of ${list.length} scenarios passed`);
  return failed === 0 ? 0 : 1;
}
