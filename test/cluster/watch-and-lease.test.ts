/** Short forms of the scenarios about watches and leases of cluster-test/, on each change. */
import { describe, expect, test } from "vitest";
import { runLeases } from "../../cluster-test/lease.js";
import { runWatch } from "../../cluster-test/watch.js";
import { requireOurBinary } from "../support/server-binary.js";

const timeoutMs = 240_000;
const log = (): void => {};

describe("on real processes that are killed and stand still", () => {
  test.each([1, 3] as const)(
    "watches at %i member(s) are told everything, once and in order, whatever they ask for",
    async (members) => {
      const report = await runWatch(requireOurBinary(), {
        members,
        rounds: 1,
        streams: 6,
        clientWatches: 3,
        faults: 2,
        writesBetween: 30,
        seed: Date.now() % 1_000_000_000,
        log,
      });
      expect(report.events).toBeGreaterThan(200);
      expect(report.resumed).toBeGreaterThan(0);
    },
    timeoutMs,
  );

  test(
    "leases end neither early nor late, and their keys go with them",
    async () => {
      const report = await runLeases(requireOurBinary(), {
        rounds: 1,
        holders: 30,
        endsBetween: 8,
        seed: Date.now() % 1_000_000_000,
        log,
      });
      expect(report.expired + report.revoked).toBeGreaterThan(15);
      expect(report.renewals).toBeGreaterThan(0);
    },
    timeoutMs,
  );
});
