/** `member update`. */
import type { CommandSpec } from "../command.js";
import { badArguments } from "../failure.js";
import { readMemberId } from "./member-id.js";

export const memberUpdateCommand: CommandSpec = {
  use: "update <memberID> [options]",
  flags: [
    { name: "peer-urls", kind: "string", default: "", usage: "where its peers find it, comma separated" },
  ],
  async run(context) {
    const id = readMemberId(context.positional);
    const peerUrls = context.flags.string("peer-urls");
    if (peerUrls === "") throw badArguments("member peer urls not provided");
    const session = await context.session();
    const { cluster } = session.client();
    const response = await cluster.memberUpdate(id, peerUrls.split(","), session.startClock()());
    session.printer.print({ kind: "memberUpdate", id, response });
  },
};
