/** `lease grant`. */
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { parseGoInt } from "../go-values.js";

export const leaseGrantCommand: CommandSpec = {
  use: "grant <ttl>",
  async run(context) {
    const [text] = context.positional;
    if (text === undefined || context.positional.length !== 1) {
      throw badArguments("lease grant command needs TTL argument");
    }
    const ttlSeconds = readTtl(text);
    const session = await context.session();
    try {
      const response = await session.client().leases.grant(ttlSeconds, session.startClock()());
      session.printer.print({ kind: "leaseGrant", response });
    } catch (error) {
      if (error instanceof CliFailure) throw error;
      throw new CliFailure(ExitCode.Error, `failed to grant lease (${failureText(error)})`);
    }
  },
};

function readTtl(text: string): bigint {
  try {
    return parseGoInt(text, 10);
  } catch (error) {
    throw badArguments(`bad TTL (${(error as Error).message})`);
  }
}
