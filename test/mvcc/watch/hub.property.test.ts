/** Were this to fail, caches built on watches would drift from the store for good. */
import fc from "fast-check";
import { test } from "vitest";
import { everyPromiseHolds } from "./random-runs.js";

test("watches keep every promise whatever is written, compacted, replaced and not read", () => {
  fc.assert(everyPromiseHolds, { numRuns: 600 });
});
