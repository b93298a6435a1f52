/** `compaction`: forgets old history. */
import type { CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { parseGoInt } from "../go-values.js";

export const compactionCommand: CommandSpec = {
  use: "compaction [options] <revision>",
  flags: [
    {
      name: "physical",
      kind: "bool",
      default: false,
      usage: "wait until the space of old revisions is free",
    },
  ],
  async run({ flags, host, positional, session: open }) {
    const [text] = positional;
    if (text === undefined || positional.length !== 1)
      throw badArguments("compaction command needs 1 argument");
    const revision = readRevision(text);
    const session = await open();
    const options = { physical: flags.bool("physical"), ...session.startClock()() };
    await session.client().kv.compact(revision, options);
    host.out(`compacted revision ${revision}\n`);
  },
};

function readRevision(text: string): bigint {
  try {
    return parseGoInt(text, 10);
  } catch (error) {
    throw new CliFailure(ExitCode.Error, (error as Error).message);
  }
}
