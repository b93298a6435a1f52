/** `version`: of etcd, as which the program presents itself. */
import { etcdVersion } from "../../base/version.js";
import type { CommandSpec } from "../command.js";

const apiVersion = "3.7";

export const versionCommand: CommandSpec = {
  use: "version",
  async run({ host }) {
    host.out(`${host.program} version: ${etcdVersion}\nAPI version: ${apiVersion}\n`);
  },
};
