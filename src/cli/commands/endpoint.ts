/** `endpoint`: how members are, one by one. */

import { failureText } from "../client-error.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { CliFailure, ExitCode } from "../failure.js";
import type { FlagSpec } from "../flags.js";

export const clusterFlag: FlagSpec = {
  name: "cluster",
  kind: "bool",
  default: false,
  usage: "all members that the cluster lists, instead of --endpoints",
};

/** The endpoints that a command goes through: of the command line, or with --cluster of all members. */
export async function chosenEndpoints(context: CommandContext): Promise<readonly string[]> {
  const session = await context.session();
  if (!context.flags.bool("cluster")) return session.endpoints;
  try {
    const { members } = await session.client().cluster.memberList(session.startClock()());
    return members.flatMap((member) => member.clientURLs);
  } catch (error) {
    const text = `failed to fetch endpoints from etcd cluster member list: ${failureText(error)}`;
    throw error instanceof CliFailure ? error : new CliFailure(ExitCode.Error, text);
  }
}

export const endpointCommand: CommandSpec = {
  use: "endpoint <subcommand>",
  sharedFlags: [clusterFlag],
  children: [
    {
      name: "health",
      summary: "Tells whether endpoints answer a linearizable read, and of alarms",
      load: async () => (await import("./endpoint-health.js")).endpointHealthCommand,
    },
    {
      name: "status",
      summary: "Tells version, size, role and Raft position of endpoints",
      load: async () => (await import("./endpoint-status.js")).endpointStatusCommand,
    },
    {
      name: "hashkv",
      summary: "Tells the hash over all keys and their history of endpoints",
      load: async () => (await import("./endpoint-hashkv.js")).endpointHashKvCommand,
    },
  ],
};
