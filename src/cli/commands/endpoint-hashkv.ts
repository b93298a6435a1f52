/** `endpoint hashkv`: equal on members with equal data. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { CliFailure, ExitCode } from "../failure.js";
import type { EndpointHash } from "../printers/printer.js";
import { chosenEndpoints } from "./endpoint.js";

export const endpointHashKvCommand: CommandSpec = {
  use: "hashkv",
  flags: [{ name: "rev", kind: "int", default: 0n, usage: "hash up to this revision (0: the newest)" }],
  async run(context) {
    const session = await context.session();
    const revision = context.flags.int("rev");
    const items: EndpointHash[] = [];
    let lastFailure: string | undefined;
    for (const endpoint of await chosenEndpoints(context)) {
      const client = session.client([endpoint]);
      try {
        const response = await client.maintenance.hashKv(revision, session.startClock()());
        items.push({ endpoint, response });
      } catch (error) {
        lastFailure = failureText(error);
        context.host.error(`Failed to get the hash of endpoint ${endpoint} (${lastFailure})\n`);
      }
    }
    session.printer.print({ kind: "endpointHashKv", items });
    if (lastFailure !== undefined) throw new CliFailure(ExitCode.Error, lastFailure);
  },
};
