/** Prepares the foreign clients; a door to setup.ts for scripts that run before anything is compiled. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const { status } = spawnSync(resolve(root, "node_modules/.bin/vite-node"), ["test/compat/setup.ts"], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
