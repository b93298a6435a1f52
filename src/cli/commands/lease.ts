/** `lease`: makes leases, renews and ends them. */
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import { parseGoInt } from "../go-values.js";

/** Errors: CliFailure. */
export function readLeaseId(text: string): bigint {
  try {
    return parseGoInt(text, 16);
  } catch (error) {
    throw badArguments(`bad lease ID arg (${(error as Error).message}), expecting ID in Hex`);
  }
}

export const leaseCommand: CommandSpec = {
  use: "lease <subcommand>",
  children: [
    {
      name: "grant",
      summary: "Makes a lease",
      load: async () => (await import("./lease-grant.js")).leaseGrantCommand,
    },
    {
      name: "revoke",
      summary: "Ends a lease and deletes the keys attached to it",
      load: async () => (await import("./lease-revoke.js")).leaseRevokeCommand,
    },
    {
      name: "timetolive",
      summary: "Tells how long a lease lives on",
      load: async () => (await import("./lease-timetolive.js")).leaseTimeToLiveCommand,
    },
    {
      name: "list",
      summary: "Lists all leases",
      load: async () => (await import("./lease-list.js")).leaseListCommand,
    },
    {
      name: "keep-alive",
      summary: "Renews a lease, again and again",
      load: async () => (await import("./lease-keep-alive.js")).leaseKeepAliveCommand,
    },
  ],
};
