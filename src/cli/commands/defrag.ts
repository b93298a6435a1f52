/** `defrag`: one endpoint after the other, as a member may answer slowly meanwhile. */
import { performance } from "node:perf_hooks";
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { CliExit, ExitCode } from "../failure.js";
import { formatDuration } from "../go-format.js";
import { chosenEndpoints, clusterFlag } from "./endpoint.js";

export const defragCommand: CommandSpec = {
  use: "defrag",
  sharedFlags: [clusterFlag],
  async run(context) {
    const { host } = context;
    const session = await context.session();
    let failed = false;
    for (const endpoint of await chosenEndpoints(context)) {
      const { maintenance } = session.client([endpoint]);
      const startedMs = performance.now();
      const took = (): string => formatDuration(performance.now() - startedMs);
      try {
        await maintenance.defragment(session.startClock()());
        host.out(`Finished defragmenting etcd member[${endpoint}]. took ${took()}\n`);
      } catch (error) {
        failed = true;
        const text = failureText(error);
        host.error(`Failed to defragment etcd member[${endpoint}]. took ${took()}. (${text})\n`);
      }
    }
    if (failed) throw new CliExit(ExitCode.Error);
  },
};
