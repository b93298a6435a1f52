/** Levels in rising order, as etcd's `--log-level` names them. */
export const logLevels = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Values that a log line can carry. bigints are printed as decimal digits; ids are given as hex strings by the caller. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where a room says what it did. `caller` is the room and topic ("storage/wal"), as operators filter by it.
 * The writer to stderr is in server/log-writer.ts; tests pass `silentLogger` or collect.
 */
export interface Logger {
  debug(caller: string, message: string, fields?: LogFields): void;
  info(caller: string, message: string, fields?: LogFields): void;
  warn(caller: string, message: string, fields?: LogFields): void;
  error(caller: string, message: string, fields?: LogFields): void;
}

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
