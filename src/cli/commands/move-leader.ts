/** `move-leader`: finds the leader among the endpoints and has it hand over. */
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import { parseGoUint } from "../go-values.js";

export const moveLeaderCommand: CommandSpec = {
  use: "move-leader <transferee-member-id>",
  async run(context) {
    const [text] = context.positional;
    if (text === undefined || context.positional.length !== 1) {
      throw badArguments("move-leader command needs 1 argument");
    }
    const target = readMemberId(text);
    const session = await context.session();
    const clock = session.startClock();
    for (const endpoint of session.endpoints) {
      const { maintenance } = session.client([endpoint]);
      const { header, leader } = await maintenance.status(clock());
      if (header?.memberId !== leader) continue;
      const response = await maintenance.moveLeader(target, clock());
      session.printer.print({ kind: "moveLeader", leader, target, response });
      return;
    }
    throw badArguments(`no leader endpoint given at [${session.endpoints.join(" ")}]`);
  },
};

function readMemberId(text: string): bigint {
  try {
    return parseGoUint(text, 16);
  } catch (error) {
    throw badArguments((error as Error).message);
  }
}
