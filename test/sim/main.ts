/** npm run sim: see usage below. */
import { describeOptions, optionsOf } from "./options.js";
import { simulate } from "./simulation.js";

const seed = Number(process.argv[2] ?? "1");
const started = performance.now();
const result = await simulate(optionsOf(seed));
const tookMs = performance.now() - started;
console.log(describeOptions(result.options));
console.log(result.lines.slice(-60).join("\n"));
console.log(
  `${result.simulatedMs} ms in ${tookMs.toFixed(0)} ms: ${(result.simulatedMs / tookMs).toFixed(0)}x, ${result.events} events, ` +
    `${result.answeredWrites} writes, ${result.linearizableReads} reads, hash ${result.traceHash.toString(16)}`,
);
console.log(result.violation?.message ?? "no violation");
