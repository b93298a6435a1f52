import { type FlagGroup, flag, inertFlag } from "../flag-spec.js";

const bbolt = "it tunes bbolt, and the store here is LevelDB";

export const memberFlags: FlagGroup = {
  title: "Member",
  flags: [
    flag("name", "string", "default", "Name of this member, for people."),
    flag("data-dir", "string", "", "Directory of all data; not given: the name with .etcd after it."),
    flag(
      "wal-dir",
      "string",
      "",
      "Directory of the Raft log, where it shall not be inside the data directory.",
    ),
    flag("snapshot-count", "uint", "10000", "Applied entries after which the Raft log is cut."),
    flag("heartbeat-interval", "uint", "100", "Milliseconds between heartbeats of a leader."),
    flag("election-timeout", "uint", "1000", "Milliseconds without a leader before an election."),
    flag(
      "initial-election-tick-advance",
      "bool",
      "true",
      "Shorten the first election timeout after a start.",
    ),
    flag("listen-peer-urls", "urls", "http://localhost:2380", "Where to listen for other members."),
    flag(
      "listen-client-urls",
      "urls",
      "http://localhost:2379",
      "Where to listen for clients: gRPC and HTTP.",
    ),
    flag(
      "listen-client-http-urls",
      "urls",
      "",
      "Where to serve HTTP alone; the client URLs then serve gRPC only.",
    ),
    inertFlag("max-snapshots", "uint", "5", "no snapshot files are kept beside the store"),
    inertFlag("max-wals", "uint", "5", "log segments go as soon as the store holds what is in them"),
    inertFlag("memory-mlock", "bool", "false", bbolt),
    flag(
      "quota-backend-bytes",
      "int",
      "0",
      "Bytes of data above which writes are refused; 0: 2 GiB, negative: none.",
    ),
    inertFlag("backend-bbolt-freelist-type", "string", "map", bbolt),
    inertFlag("backend-batch-interval", "duration", "0s", bbolt),
    inertFlag("backend-batch-limit", "int", "0", bbolt),
    flag("max-txn-ops", "uint", "128", "Most operations in one transaction."),
    flag("max-request-bytes", "uint", "1572864", "Largest request of a client in bytes."),
    flag(
      "max-concurrent-streams",
      "uint32",
      "4294967295",
      "Most streams that one client connection may have open.",
    ),
    flag("grpc-keepalive-min-time", "duration", "5s", "Shortest time between two pings of a client."),
    flag("grpc-keepalive-interval", "duration", "2h", "Ping a silent client after this time; 0: never."),
    flag(
      "grpc-keepalive-timeout",
      "duration",
      "20s",
      "Close a connection that leaves a ping unanswered for this time.",
    ),
    inertFlag("socket-reuse-port", "bool", "false", "Node.js 20 can not set SO_REUSEPORT"),
    inertFlag("socket-reuse-address", "bool", "false", "Node.js always sets SO_REUSEADDR"),
    flag("enable-grpc-gateway", "bool", "true", "Serve the JSON form of the API under /v3/."),
    inertFlag("raft-read-timeout", "duration", "5s", "peer links are watched by HTTP/2 pings"),
    inertFlag("raft-write-timeout", "duration", "5s", "peer links are watched by HTTP/2 pings"),
    flag(
      "feature-gates",
      "featureGates",
      "",
      "Features to switch: Name=true|false, comma-separated. Known names:",
    ),
  ],
};
