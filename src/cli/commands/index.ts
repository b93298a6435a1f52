/** All commands by name, each loaded when it is needed. */
import type { CommandEntry, CommandSpec, ProgramName } from "../command.js";
import { globalFlags } from "../global-flags.js";

const keyValue = "Key-value commands";
const concurrency = "Concurrency commands";
const maintenance = "Cluster maintenance commands";
const utility = "Utility commands";

/** Headings in the help of the program, in their order. */
export const commandGroups: readonly string[] = [keyValue, maintenance, concurrency, utility];

const clients: readonly ProgramName[] = ["quorate", "etcdctl"];

const entries: readonly CommandEntry[] = [
  {
    name: "get",
    summary: "Reads a key or a range of keys",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./get.js")).getCommand,
  },
  {
    name: "put",
    summary: "Writes a key",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./put.js")).putCommand,
  },
  {
    name: "del",
    summary: "Deletes a key or the keys in [key, range_end)",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./del.js")).delCommand,
  },
  {
    name: "txn",
    summary: "Carries out one transaction, read from standard input",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./txn.js")).txnCommand,
  },
  {
    name: "compaction",
    summary: "Forgets the history below a revision",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./compaction.js")).compactionCommand,
  },
  {
    name: "watch",
    summary: "Shows changes of keys as they happen, and runs a program for each",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./watch.js")).watchCommand,
  },
  {
    name: "lease",
    summary: "Makes leases, renews and ends them",
    group: keyValue,
    programs: clients,
    load: async () => (await import("./lease.js")).leaseCommand,
  },
  {
    name: "lock",
    summary: "Holds a lock, while a program runs or until interrupted",
    group: concurrency,
    programs: clients,
    load: async () => (await import("./lock.js")).lockCommand,
  },
  {
    name: "elect",
    summary: "Takes part in an election, or shows who leads",
    group: concurrency,
    programs: clients,
    load: async () => (await import("./elect.js")).electCommand,
  },
  {
    name: "endpoint",
    summary: "Asks members how they are",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./endpoint.js")).endpointCommand,
  },
  {
    name: "member",
    summary: "Shows and changes who belongs to the cluster",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./member.js")).memberCommand,
  },
  {
    name: "move-leader",
    summary: "Hands leadership to another member",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./move-leader.js")).moveLeaderCommand,
  },
  {
    name: "defrag",
    summary: "Gives free space in the store of members back to their disks",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./defrag.js")).defragCommand,
  },
  {
    name: "alarm",
    summary: "Shows alarms and switches them off",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./alarm.js")).alarmCommand,
  },
  {
    name: "snapshot",
    summary: "Saves a member's store to a file",
    group: maintenance,
    programs: clients,
    load: async () => (await import("./snapshot.js")).snapshotCommand,
  },
  {
    name: "server",
    summary: "Runs a member of a cluster, with the flags of etcd",
    group: utility,
    programs: ["quorate"],
    rawArguments: true,
    load: async () => (await import("./server.js")).serverCommand,
  },
  {
    name: "version",
    summary: "Prints the version",
    group: utility,
    load: async () => (await import("./version.js")).versionCommand,
  },
  {
    name: "options",
    summary: "Lists the flags that every command takes",
    group: utility,
    programs: clients,
    load: async () => (await import("./options.js")).optionsCommand,
  },
  {
    name: "help",
    summary: "Tells about a command",
    group: utility,
    load: async () => (await import("./help.js")).helpCommand,
  },
];

const descriptions: Readonly<Record<ProgramName, string>> = {
  quorate:
    "quorate: a distributed key-value store that speaks etcd's protocol. Server and client in one program.",
  etcdctl: "Client of etcd and of quorate.",
  etcdutl: "Works on the data directory of a member that is not running.",
};

/** The program itself, with the commands that it has under the name it was called by. */
export function rootCommand(program: ProgramName): CommandSpec {
  return {
    use: program,
    description: descriptions[program],
    sharedFlags: globalFlags,
    children: entries.filter((entry) => entry.programs?.includes(program) !== false),
  };
}
