/** `snapshot`: copies of a member's store. */
import type { CommandSpec } from "../command.js";

export const snapshotExamples = `  # Save the store of the member at 127.0.0.1:2379
  etcdctl snapshot save backup.db

  # …of another member, over TLS
  etcdctl --endpoints=https://10.0.0.1:2379 --cacert=ca.crt --cert=client.crt --key=client.key snapshot save backup.db`;

export const snapshotCommand: CommandSpec = {
  use: "snapshot <subcommand>",
  examples: snapshotExamples,
  children: [
    {
      name: "save",
      summary: "Saves the store of one member to a file",
      load: async () => (await import("./snapshot-save.js")).snapshotSaveCommand,
    },
  ],
};
