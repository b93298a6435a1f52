/** Entry of `etcd …` and `quorate server …`. Asking for the version must be quick, so nothing else is loaded then. */
import { realpathSync } from "node:fs";

import { versionText } from "./version-text.js";

/** Runs what `args` (flags, without the names of interpreter and program) ask for. */
export async function main(args: readonly string[]): Promise<void> {
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-version")) {
    process.stdout.write(versionText());
    return;
  }
  const { runServer } = await import("./run-server.js");
  await runServer(args);
}

const startedFile = process.argv[1];
if (startedFile !== undefined && realpathSync(startedFile) === import.meta.filename) {
  void main(process.argv.slice(2));
}
