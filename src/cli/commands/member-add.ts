/** `member add`: tells the cluster of a member, and the operator how to start it. */
import type { MemberAddResponse } from "../../client/index.js";
import type { CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { quoteText } from "../go-format.js";

export const memberAddCommand: CommandSpec = {
  use: "add <memberName> [options]",
  flags: [
    {
      name: "peer-urls",
      kind: "string",
      default: "",
      usage: "where its peers will find it, comma separated",
    },
    { name: "learner", kind: "bool", default: false, usage: "without a vote, until it is promoted" },
  ],
  async run({ flags, host, positional, session: open }) {
    const name = readName(positional);
    const peerUrls = flags.string("peer-urls");
    if (peerUrls === "") throw badArguments("member peer urls not provided");
    const session = await open();
    for (const url of peerUrls.split(",")) checkPeerUrl(url.trim());
    const options = { learner: flags.bool("learner"), ...session.startClock()() };
    const response = await session.client().cluster.memberAdd(peerUrls.split(","), options);
    session.printer.print({ kind: "memberAdd", response });
    if (session.printer.format === "simple") host.out(startSettings(response, name, peerUrls));
  },
};

function readName(positional: readonly string[]): string {
  const [name] = positional;
  if (name === undefined) throw badArguments("member name not provided");
  if (positional.length > 1) {
    const urls = positional.filter((word) => word.toLowerCase().startsWith("http"));
    const hints = urls.map((url) => `, did you mean --peer-urls=${url}`).join("");
    throw badArguments(`too many arguments${hints}`);
  }
  return name;
}

/** Errors: CliFailure, with what etcd's client says before it asks the cluster. */
function checkPeerUrl(url: string): void {
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/i.exec(url) ?? [];
  if (["unix", "unixs"].includes(scheme)) return;
  let problem: string | undefined;
  if (!["http", "https"].includes(scheme)) problem = "URL scheme must be http, https, unix, or unixs";
  else if (!/^(\[[^\]]*\]|[^:/]*):[^:/]*(\/|$)/.test(rest)) {
    problem = 'URL address does not have the form "host:port"';
  } else if (rest.includes("/")) problem = "URL must not contain a path";
  if (problem !== undefined) throw new CliFailure(ExitCode.Error, `${problem}: ${url}`);
}

/** The environment in which the new member is to be started. */
function startSettings({ member, members }: MemberAddResponse, name: string, peerUrls: string): string {
  const cluster = members.flatMap((one) => {
    return one.peerURLs.map((url) => `${one.ID === member?.ID ? name : one.name}=${url}`);
  });
  return [
    "",
    `ETCD_NAME=${quoteText(name)}`,
    `ETCD_INITIAL_CLUSTER=${quoteText(cluster.join(","))}`,
    `ETCD_INITIAL_ADVERTISE_PEER_URLS=${quoteText(peerUrls)}`,
    'ETCD_INITIAL_CLUSTER_STATE="existing"',
    "",
  ].join("\n");
}
