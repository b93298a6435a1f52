/** `help [command]`: the same as `[command] --help`. */
import type { CommandSpec } from "../command.js";
import { findCommand } from "../find-command.js";
import { helpText, usageText } from "../help.js";
import { rootCommand } from "./index.js";

export const helpCommand: CommandSpec = {
  use: "help [command]",
  async run({ host, positional }) {
    const root = rootCommand(host.program);
    const path = await findCommand(root, positional);
    if (path.entry === undefined && positional.length > 0) {
      const topic = positional.map((word) => `\`${word}\``).join(" ");
      host.error(`Unknown help topic [${topic}]\n${usageText(path)}`);
      return;
    }
    host.out(helpText(path));
  },
};
