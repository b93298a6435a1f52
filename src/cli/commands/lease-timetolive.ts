/** `lease timetolive`. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { readLeaseId } from "./lease.js";

export const leaseTimeToLiveCommand: CommandSpec = {
  use: "timetolive <leaseID> [options]",
  flags: [{ name: "keys", kind: "bool", default: false, usage: "print the keys that are attached to it" }],
  async run(context) {
    const [text] = context.positional;
    if (text === undefined || context.positional.length !== 1) {
      throw badArguments("lease timetolive command needs lease ID as argument");
    }
    const id = readLeaseId(text);
    const withKeys = context.flags.bool("keys");
    const session = await context.session();
    try {
      const response = await session.client().leases.timeToLive(id, { keys: withKeys });
      session.printer.print({ kind: "leaseTimeToLive", withKeys, response });
    } catch (error) {
      throw error instanceof CliFailure ? error : new CliFailure(ExitCode.BadConnection, failureText(error));
    }
  },
};
