/** `alarm disarm`: all alarms of all members. */
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";

export const alarmDisarmCommand: CommandSpec = {
  use: "disarm",
  async run(context) {
    if (context.positional.length > 0) throw badArguments("alarm disarm command accepts no arguments");
    const session = await context.session();
    const response = await session.client().maintenance.alarmDisarm(undefined, session.startClock()());
    session.printer.print({ kind: "alarm", response });
  },
};
