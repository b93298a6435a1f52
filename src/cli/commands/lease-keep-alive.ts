/** `lease keep-alive`: renews a lease until it is gone, or once. */
import { failureText } from "../client-error.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { hexId } from "../go-format.js";
import { untilAborted } from "../until-aborted.js";
import { readLeaseId } from "./lease.js";

export const leaseKeepAliveCommand: CommandSpec = {
  use: "keep-alive [options] <leaseID>",
  flags: [{ name: "once", kind: "bool", default: false, usage: "renew it one time and end" }],
  async run(context) {
    const [text] = context.positional;
    if (text === undefined || context.positional.length !== 1) {
      throw badArguments("lease keep-alive command needs lease ID as argument");
    }
    const id = readLeaseId(text);
    if (context.flags.bool("once")) await renewOnce(context, id);
    else await renewUntilGone(context, id);
  },
};

async function renewOnce(context: CommandContext, id: bigint): Promise<void> {
  const session = await context.session();
  try {
    const response = await session.client().leases.keepAliveOnce(id);
    session.printer.print({ kind: "leaseKeepAlive", response });
  } catch (error) {
    throw error instanceof CliFailure ? error : new CliFailure(ExitCode.BadConnection, failureText(error));
  }
}

async function renewUntilGone(context: CommandContext, id: bigint): Promise<void> {
  const { client, printer } = await context.session();
  const failed = new AbortController();
  const kept = client().leases.keepAlive(id, {
    onRenewed(response) {
      try {
        printer.print({ kind: "leaseKeepAlive", response });
      } catch (error) {
        // The format has no form for it, which the first renewal shows.
        failed.abort(error);
      }
    },
  });
  await untilAborted(kept.lost, failed.signal);
  kept.stop();
  failed.signal.throwIfAborted();
  if (printer.format === "simple") context.host.out(`lease ${hexId(id, 16)} expired or revoked.\n`);
}
