/** `lease list`. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { CliFailure, ExitCode } from "../failure.js";

export const leaseListCommand: CommandSpec = {
  use: "list",
  async run(context) {
    const session = await context.session();
    try {
      const response = await session.client().leases.list();
      session.printer.print({ kind: "leaseList", response });
    } catch (error) {
      throw error instanceof CliFailure ? error : new CliFailure(ExitCode.BadConnection, failureText(error));
    }
  },
};
