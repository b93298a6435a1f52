/** `member`: who belongs to the cluster. */
import type { CommandSpec } from "../command.js";

export const memberCommand: CommandSpec = {
  use: "member <subcommand>",
  children: [
    {
      name: "list",
      summary: "Lists all members",
      load: async () => (await import("./member-list.js")).memberListCommand,
    },
  ],
};
