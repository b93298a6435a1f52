/**
 * Loaded into a server under test before its program (`node --import`): measures how late the event loop is. The first
 * SIGUSR2 begins, the second writes what was found to the file that the query of this module's URL names.
 */
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const out = new URL(import.meta.url).searchParams.get("out");
const resolutionMs = 1;
const histogram = monitorEventLoopDelay({ resolution: resolutionMs });

/** What a timer came late, the time that it asked for taken off. */
const lateMs = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolutionMs);

process.once("SIGUSR2", () => {
  histogram.enable();
  process.once("SIGUSR2", () => {
    histogram.disable();
    const [p50, p99, p999] = [50, 99, 99.9].map((share) => lateMs(histogram.percentile(share)));
    writeFileSync(
      out,
      JSON.stringify({ p50, p99, p999, max: lateMs(histogram.max), count: histogram.count }),
    );
  });
});
