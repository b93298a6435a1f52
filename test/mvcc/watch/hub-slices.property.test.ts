/** The same with bounds so small that every batch is cut and every step ends before its work is done. */
import fc from "fast-check";
import { test, vi } from "vitest";
import { everyPromiseHolds } from "./random-runs.js";

vi.mock("../../../src/base/limits.js", async (original) => {
  const { limits } = await original<typeof import("../../../src/base/limits.js")>();
  const small = { sliceKeysMax: 3, watchSliceBytes: 25, watchSendsPerStep: 2, watchNearRevisions: 3 };
  return { limits: { ...limits, ...small } };
});

test("watches keep every promise where slices hold three revisions and steps send two answers", () => {
  fc.assert(everyPromiseHolds, { numRuns: 600 });
});
