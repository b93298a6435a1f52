/** `endpoint status`: what each endpoint says of itself. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { CliExit, ExitCode } from "../failure.js";
import type { EndpointStatus } from "../printers/printer.js";
import { chosenEndpoints } from "./endpoint.js";

export const endpointStatusCommand: CommandSpec = {
  use: "status",
  description: `Tells version, size, role and Raft position of endpoints.

With -w simple, a line for each endpoint: endpoint, ID, version, storage version, db size, in use, percentage not
in use, quota, is leader, is learner, raft term, raft index, raft applied index, errors, downgrade target version,
downgrade enabled.`,
  async run(context) {
    const session = await context.session();
    const items: EndpointStatus[] = [];
    let failed = false;
    for (const endpoint of await chosenEndpoints(context)) {
      const client = session.client([endpoint]);
      try {
        items.push({ endpoint, response: await client.maintenance.status(session.startClock()()) });
      } catch (error) {
        failed = true;
        context.host.error(`Failed to get the status of endpoint ${endpoint} (${failureText(error)})\n`);
      }
    }
    session.printer.print({ kind: "endpointStatus", items });
    if (failed) throw new CliExit(ExitCode.Error);
  },
};
