/** `options`: the flags that help leaves out, as every command has them. */
import type { CommandSpec } from "../command.js";
import { flagUsages } from "../flags.js";
import { globalFlags } from "../global-flags.js";

export const optionsCommand: CommandSpec = {
  use: "options",
  async run({ host }) {
    host.out(`The following options can be passed to any command:\n\n${flagUsages(globalFlags)}`);
  },
};
