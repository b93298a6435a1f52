/** Prepares all foreign programs ahead of the tests: `npx vite-node test/compat/setup.ts`. Quick the second time. */
import { findProgram } from "../support/server-binary.js";
import { goTool } from "../tools/go-tools.js";
import { goTestBinary, pythonInterpreter } from "./prepare.js";

const steps = [
  { program: "go", prepare: goTestBinary },
  { program: "go", prepare: () => goTool("grpcurl") },
  { program: "go", prepare: () => goTool("etcd") },
  { program: "python3", prepare: pythonInterpreter },
];
for (const { program, prepare } of steps) {
  if (findProgram(program) !== undefined) console.log(`${program}: ${await prepare()}`);
}
for (const program of ["go", "python3", "openssl", "etcd", "etcdctl"]) {
  if (findProgram(program) !== undefined) continue;
  console.warn(`${program} is not in PATH: its tests will be left out`);
  if (process.env.CI === "true") process.exitCode = 1;
}
