/** `member promote`. */
import type { CommandSpec } from "../command.js";
import { readMemberId } from "./member-id.js";

export const memberPromoteCommand: CommandSpec = {
  use: "promote <memberID>",
  async run(context) {
    const id = readMemberId(context.positional);
    const session = await context.session();
    const response = await session.client().cluster.memberPromote(id, session.startClock()());
    session.printer.print({ kind: "memberPromote", id, response });
  },
};
