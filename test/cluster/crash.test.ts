/** A short form of the crash test of cluster-test/, on each change. */
import { expect, test } from "vitest";
import { runCrash } from "../../cluster-test/crash.js";
import { requireOurBinary } from "../support/server-binary.js";

test("no acknowledged write is lost when the leader, and then every member, is killed under load", async () => {
  const binary = requireOurBinary();
  const report = await runCrash(binary, {
    rounds: 2,
    writers: 4,
    valueBytes: 128,
    putsBetween: 100,
    electionTimeoutMs: 1_000,
    // The long form asks for 3 s; here other tests have the processors as well.
    writesBackMsMax: 15_000,
    snapshotCount: 100,
    log: () => {},
  });
  expect(report.acknowledged).toBeGreaterThan(500);
}, 120_000);
