/** `lease revoke`. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { readLeaseId } from "./lease.js";

export const leaseRevokeCommand: CommandSpec = {
  use: "revoke <leaseID>",
  async run(context) {
    const [text] = context.positional;
    if (text === undefined || context.positional.length !== 1) {
      throw badArguments("lease revoke command needs 1 argument");
    }
    const id = readLeaseId(text);
    const session = await context.session();
    try {
      const response = await session.client().leases.revoke(id, session.startClock()());
      session.printer.print({ kind: "leaseRevoke", id, response });
    } catch (error) {
      if (error instanceof CliFailure) throw error;
      throw new CliFailure(ExitCode.Error, `failed to revoke lease (${failureText(error)})`);
    }
  },
};
