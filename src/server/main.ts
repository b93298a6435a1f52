/** Entry of `etcd …` and `quorate server …`. Asking for the version must be quick, so nothing else is loaded then. */
import { versionText } from "./version.js";

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "-version")) {
  process.stdout.write(versionText());
} else {
  const { runServer } = await import("./run-server.js");
  await runServer(args);
}
