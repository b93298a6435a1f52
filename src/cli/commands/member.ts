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
    {
      name: "add",
      summary: "Adds a member",
      load: async () => (await import("./member-add.js")).memberAddCommand,
    },
    {
      name: "remove",
      summary: "Removes a member for good",
      load: async () => (await import("./member-remove.js")).memberRemoveCommand,
    },
    {
      name: "update",
      summary: "Changes where a member's peers find it",
      load: async () => (await import("./member-update.js")).memberUpdateCommand,
    },
    {
      name: "promote",
      summary: "Gives a learner its vote",
      load: async () => (await import("./member-promote.js")).memberPromoteCommand,
    },
  ],
};
