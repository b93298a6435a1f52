/** `alarm`: what members sound when their disk is full or their data damaged. */
import type { CommandSpec } from "../command.js";

export const alarmCommand: CommandSpec = {
  use: "alarm <subcommand>",
  children: [
    {
      name: "list",
      summary: "Lists all alarms that are on",
      load: async () => (await import("./alarm-list.js")).alarmListCommand,
    },
    {
      name: "disarm",
      summary: "Switches all alarms off",
      load: async () => (await import("./alarm-disarm.js")).alarmDisarmCommand,
    },
  ],
};
