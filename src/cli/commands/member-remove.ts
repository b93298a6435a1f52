/** `member remove`. */
import type { CommandSpec } from "../command.js";
import { readMemberId } from "./member-id.js";

export const memberRemoveCommand: CommandSpec = {
  use: "remove <memberID>",
  async run(context) {
    const id = readMemberId(context.positional);
    const session = await context.session();
    const response = await session.client().cluster.memberRemove(id, session.startClock()());
    session.printer.print({ kind: "memberRemove", id, response });
  },
};
