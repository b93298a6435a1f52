/** h2spec (github.com/summerwind/h2spec): 145 cases of RFC 9113 and RFC 7541, against a running server. */
import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startServer } from "./support.js";

function find(): string | undefined {
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "h2spec"));
  if (process.env.H2SPEC !== undefined) places.unshift(process.env.H2SPEC);
  try {
    places.push(join(execFileSync("go", ["env", "GOPATH"], { encoding: "utf8" }).trim(), "bin", "h2spec"));
  } catch {
    // Without Go there is no such place.
  }
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const h2spec = find();
const why = h2spec === undefined ? " (skipped: no h2spec in H2SPEC, PATH or GOPATH/bin)" : "";

test.skipIf(h2spec === undefined).each([
  ["all cases", [], "145 tests, 145 passed, 0 skipped, 0 failed"],
  ["strict mode", ["-S"], "146 tests, 146 passed, 0 skipped, 0 failed"],
])(`h2spec, %s${why}`, { timeout: 120_000 }, async (_name, flags, summary) => {
  const server = await startServer({ concurrentStreamsMax: 100 });
  const run = promisify(execFile)(h2spec!, [
    "-h",
    "127.0.0.1",
    "-p",
    String(server.port),
    "-o",
    "5",
    ...flags,
  ]);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  expect(stdout).toContain(summary);
  await server.close();
});
