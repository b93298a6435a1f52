/** `alarm list`. */
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";

export const alarmListCommand: CommandSpec = {
  use: "list",
  async run(context) {
    if (context.positional.length > 0) throw badArguments("alarm list command accepts no arguments");
    const session = await context.session();
    const response = await session.client().maintenance.alarmList(session.startClock()());
    session.printer.print({ kind: "alarm", response });
  },
};
