/** `elect`: takes part in an election, or shows who leads. */
import type { KeyValue, QuorateClient, ResponseHeader } from "../../client/index.js";
import { Election, openSession, RecipeError } from "../../recipes/index.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { untilAborted } from "../until-aborted.js";

const sessionExpired = (): CliFailure => new CliFailure(ExitCode.Error, "elect: session expired");

export const electCommand: CommandSpec = {
  use: "elect <election-name> [proposal]",
  description: `With a proposal: waits to lead, prints the key and the proposal, and leads until interrupted.
With -l: prints who leads, and each leader after that, until interrupted.`,
  flags: [{ name: "listen", short: "l", kind: "bool", default: false, usage: "show who leads" }],
  async run(context) {
    const [name, proposal] = context.positional;
    if (name === undefined || context.positional.length > 2) {
      throw badArguments("elect takes one election name argument and an optional proposal argument");
    }
    const listens = context.flags.bool("listen");
    if (proposal === undefined && !listens) throw badArguments("no proposal argument but -l not set");
    if (proposal !== undefined && listens) throw badArguments("proposal given but -l is set");
    const interrupted = context.host.untilInterrupted();
    const client = (await context.session()).client();
    if (proposal === undefined) await observe(context, client, name, interrupted);
    else await campaign(context, client, name, proposal, interrupted);
  },
};

async function observe(
  context: CommandContext,
  client: QuorateClient,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { printer } = await context.session();
  try {
    for await (const { header, kv } of new Election(client, name).observe({ signal })) {
      printer.print({ kind: "get", response: answerOf(header, kv), valueOnly: false });
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof CliFailure ? error : new CliFailure(ExitCode.Error, "elect: observer lost");
  }
}

/** As etcdctl prints it: like a read, but of unknown count. */
function answerOf(header: ResponseHeader, kv: KeyValue) {
  return { header, kvs: [kv], more: false, count: 0n };
}

async function campaign(
  context: CommandContext,
  client: QuorateClient,
  name: string,
  proposal: string,
  signal: AbortSignal,
): Promise<void> {
  const session = await openSession(client);
  try {
    const leadership = await new Election(client, name).campaign(session, proposal, { signal });
    const response = await client.kv.get(leadership.key, { signal });
    (await context.session()).printer.print({ kind: "get", response, valueOnly: false });
    await untilAborted(signal, leadership.lost);
    if (!signal.aborted) throw sessionExpired();
    await leadership.resign();
  } catch (error) {
    if (signal.aborted && !(error instanceof CliFailure)) {
      throw new CliFailure(ExitCode.Error, "context canceled");
    }
    throw error instanceof RecipeError ? sessionExpired() : error;
  } finally {
    // What cannot be ended now ends by itself, after its TTL.
    await session.close().catch(() => {});
  }
}
