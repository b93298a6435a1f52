/** `server`: a member of a cluster in this process. Its flags are its own affair. */
import type { CommandSpec } from "../command.js";

export const serverCommand: CommandSpec = {
  use: "server [flags]",
  async run({ positional }) {
    const { runServer } = await import("../../server/run-server.js");
    await runServer(positional);
  },
};
