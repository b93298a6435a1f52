/** Short forms of the fault scenarios of cluster-test/, on each change. */
import { describe, expect, test } from "vitest";
import { runCatchUp } from "../../cluster-test/catch-up.js";
import { runCleanStops } from "../../cluster-test/clean-stop.js";
import { runDamages } from "../../cluster-test/damage.js";
import { runFailpointLoop } from "../../cluster-test/failpoint-loop.js";
import { namespacesMissing } from "../../cluster-test/namespaces.js";
import { runPartitions } from "../../cluster-test/partition.js";
import { runPauses } from "../../cluster-test/pause.js";
import { requireOurBinary } from "../support/server-binary.js";

const timeoutMs = 240_000;
const log = (): void => {};

describe("a cluster of real processes", () => {
  test(
    "a follower that dies while it takes an image of the store has it the next time",
    async () => {
      const report = await runCatchUp(requireOurBinary(), {
        fillBytes: 0,
        valueBytes: 256,
        putsMissed: 300,
        writesMeanwhile: true,
        deaths: [{ failpoint: "raftBeforeApplySnap" }],
        log,
      });
      expect(report.died).toBe(1);
      expect(report.reads).toBeGreaterThan(0);
    },
    timeoutMs,
  );

  test(
    "a leader that is stopped hands over: writes go on, and it is gone in time",
    async () => {
      // Wide limits: other tests run beside this one. The long form has those that are promised.
      const report = await runCleanStops(requireOurBinary(), {
        rounds: 1,
        writesBackMsMax: 15_000,
        exitMsMax: 15_000,
        log,
      });
      expect(report.acknowledged).toBeGreaterThan(200);
    },
    timeoutMs,
  );

  test(
    "a member whose disk is damaged refuses to start, or has lost nothing",
    async () => {
      const report = await runDamages(requireOurBinary(), { rounds: 2, log });
      expect(report.refused + report.recovered).toBe(2);
    },
    timeoutMs,
  );

  test(
    "a member that dies in the middle of a save or of a compaction has lost nothing",
    async () => {
      const names = ["walBeforeSync", "compactAfterCommitBatch"] as const;
      const report = await runFailpointLoop(requireOurBinary(), { names, log });
      expect(report.died).toEqual(names);
    },
    timeoutMs,
  );

  test(
    "a leader that stands still while another is elected answers no stale read when it goes on",
    async () => {
      const report = await runPauses(requireOurBinary(), {
        rounds: 1,
        answersBetween: 100,
        kills: false,
        log,
      });
      expect(report.answered).toBeGreaterThan(300);
    },
    timeoutMs,
  );

  const missing = namespacesMissing();
  test.skipIf(missing !== undefined)(
    `a leader that is cut off serves nothing that needs a quorum${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      const report = await runPartitions(requireOurBinary(), { rounds: 1, answersBetween: 50, log });
      expect(report.answered).toBeGreaterThan(150);
    },
    timeoutMs,
  );
});
