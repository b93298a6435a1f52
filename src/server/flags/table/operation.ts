import { type FlagGroup, type FlagSpec, flag, inertFlag } from "../flag-spec.js";

const rotationDefault =
  '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}';
const noTracing = "traces are not exported";

export const monitoringFlags: FlagGroup = {
  title: "Profiling and Monitoring",
  flags: [
    inertFlag(
      "enable-pprof",
      "bool",
      "false",
      "pprof is a profiler of Go programs; node --inspect is its like here",
    ),
    flag("metrics", "string", "basic", "basic, or extensive: with histograms of gRPC calls."),
    flag("listen-metrics-urls", "urls", "", "Where to serve /metrics and the health endpoints as well."),
  ],
};

export const loggingFlags: FlagGroup = {
  title: "Logging",
  flags: [
    flag("logger", "string", "zap", "Form of the log; zap is the only one."),
    flag(
      "log-outputs",
      "uniqueStrings",
      "default",
      "Where log lines go: default, stderr, stdout, or file paths.",
    ),
    flag("log-level", "string", "info", "Lowest level: debug, info, warn, error, panic or fatal."),
    flag("log-format", "string", "json", "json, or console: for people."),
    flag("enable-log-rotation", "bool", "false", "Begin a new log file when the current one is large."),
    flag("log-rotation-config-json", "string", rotationDefault, "maxsize in MB, maxage in days, maxbackups."),
    flag("warning-unary-request-duration", "duration", "300ms", "Warn about requests that take longer."),
  ],
};

export const tracingFlags: FlagGroup = {
  title: "Distributed tracing",
  flags: [
    inertFlag("enable-distributed-tracing", "bool", "false", noTracing),
    inertFlag("distributed-tracing-address", "string", "localhost:4317", noTracing),
    inertFlag("distributed-tracing-service-name", "string", "etcd", noTracing),
    inertFlag("distributed-tracing-instance-id", "string", "", noTracing),
    inertFlag("distributed-tracing-sampling-rate", "int", "0", noTracing),
  ],
};

export const featureFlags: FlagGroup = {
  title: "Features",
  flags: [
    flag("corrupt-check-time", "duration", "0s", "Compare the data of all members this often; 0: never."),
    flag("compact-hash-check-time", "duration", "1m", "Compare hashes of compactions this often."),
    flag("compaction-batch-limit", "int", "1000", "Revisions that one slice of a compaction looks at."),
    flag(
      "peer-skip-client-san-verification",
      "bool",
      "false",
      "Do not compare a member's certificate with its address.",
    ),
    flag("watch-progress-notify-interval", "duration", "10m", "Tell idle watches of progress this often."),
    flag("warning-apply-duration", "duration", "100ms", "Warn about applies that take longer."),
    inertFlag("bootstrap-defrag-threshold-megabytes", "uint", "0", "LevelDB gives space back by itself"),
    flag("max-learners", "int", "1", "Most learners in the cluster."),
    flag("compaction-sleep-interval", "duration", "0s", "Pause between two slices of a compaction."),
    inertFlag("downgrade-check-time", "duration", "5s", "there is no older version to go down to"),
    flag(
      "snapshot-catchup-entries",
      "uint",
      "5000",
      "Entries kept in memory for a slow follower after the log is cut.",
    ),
  ],
};

export const unsafeFlags: FlagGroup = {
  title: "Unsafe feature",
  flags: [
    flag(
      "force-new-cluster",
      "bool",
      "false",
      "Start from this member's data as the only member of the cluster.",
    ),
    flag("unsafe-no-fsync", "bool", "false", "Do not wait for the disk: an acknowledged write can be lost."),
  ],
};

/** Known to the command line, absent from the help text. */
export const hiddenFlags: readonly FlagSpec[] = [
  flag("config-file", "string", "", "Path of a YAML file that is then the only source of settings."),
  flag("version", "bool", "false", "Print the version and exit."),
  ...[
    "cluster-active-size",
    "cluster-remove-delay",
    "cluster-sync-interval",
    "config",
    "force",
    "max-result-buffer",
    "max-retry-attempts",
    "peer-heartbeat-interval",
    "peer-election-timeout",
    "retry-interval",
    "snapshot",
    "v",
    "vv",
  ].map((name) => inertFlag(name, "ignored", "", "it was removed from etcd long ago")),
];
