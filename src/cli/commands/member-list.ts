/** `member list`: all members, started or not. */
import type { CommandSpec } from "../command.js";
import { isSerializable } from "./consistency.js";

export const memberListCommand: CommandSpec = {
  use: "list",
  description: `Lists all members.

With -w simple, a line for each member: ID, status, name, peer addresses, client addresses, is learner.`,
  flags: [
    {
      name: "consistency",
      kind: "string",
      default: "l",
      usage: "l: linearizable, s: serializable (what the member asked has)",
    },
  ],
  async run(context) {
    const serializable = isSerializable(context.flags.string("consistency"));
    const session = await context.session();
    const response = await session.client().cluster.memberList({ serializable, ...session.startClock()() });
    session.printer.print({ kind: "memberList", response });
  },
};
