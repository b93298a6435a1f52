/**
 * `npm test`: every check that should run on each change, one after the other, and one closing line for all of
 * it. A step counts as one; the tests count each.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "quorate-test-"));
const report = join(scratch, "vitest.json");
const tool = (name) => join(root, "node_modules/.bin", name);

const steps = [
  ["build", "npm", ["run", "--silent", "build"]],
  ["types of the pure rooms", tool("tsc"), ["-p", "tsconfig.pure.json"]],
  ["types of the tests", tool("tsc"), ["-p", "tsconfig.test.json"]],
  ["format and lint", tool("biome"), ["check", "--error-on-warnings", "."]],
  ["generated code is current", process.execPath, ["test/generated-current.mjs"]],
  ["clients for the compatibility tests", process.execPath, ["test/compat/setup.mjs"]],
];

let passed = 0;
let failed = 0;

for (const [name, command, args] of steps) {
  const started = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status === 0) passed++;
  else failed++;
  console.log(
    `${status === 0 ? "ok  " : "FAIL"} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
}

const vitest = spawnSync(
  tool("vitest"),
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
try {
  const results = JSON.parse(readFileSync(report, "utf8"));
  passed += results.numPassedTests;
  failed += results.numFailedTests;
  // A file that fails before its first test counts too, and so does a run that broke off.
  const brokenFiles = results.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  failed += brokenFiles.length;
  if (vitest.status !== 0 && results.numFailedTests === 0 && brokenFiles.length === 0) failed++;
} catch (error) {
  console.error(`no report of the tests: ${error.message}`);
  failed++;
}
rmSync(scratch, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
