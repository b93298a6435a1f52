/** `npm run cluster-test`: the long form. Arguments: [rounds], 20 where there is none. */
import { ourBinary } from "../test/support/server-binary.js";
import { runCrash } from "./crash.js";

const binary = ourBinary();
if ("missing" in binary) throw new Error(binary.missing);
const report = await runCrash(binary, {
  rounds: Number(process.argv[2] ?? 20),
  writers: 8,
  valueBytes: 256,
  putsBetween: 300,
  electionTimeoutMs: 1_000,
  snapshotCount: 500,
  log: (line) => console.log(line),
});
console.log(JSON.stringify(report));
