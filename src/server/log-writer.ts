/**
 * The log of the process: one line an event, as JSON or for people, to stderr, stdout or files.
 *
 * Lines of one turn of the event loop leave in one write. A pipe that nobody reads must not stop the event loop,
 * so pipes are written without blocking; what does not fit waits in memory, up to limits.logBacklogBytesMax, and
 * lines above that are counted and dropped. `flush` (also run when the process exits) writes what waits.
 */
import { limits } from "../base/limits.js";
import { type LogFields, type Logger, type LogLevel, logLevels } from "../base/logger.js";
import type { LogConfig } from "./flags/server-config.js";
import { formatConsoleLine, formatJsonLine, type LogLine } from "./log-format.js";
import { type LogOutput, openLogOutput } from "./log-output.js";
import { LogTimestamps } from "./log-timestamps.js";

/** A blocked pipe gets this much time when the process ends. */
const flushMsMax = 200;

export class LogWriter implements Logger {
  private readonly threshold: number;
  private readonly format: (line: LogLine) => string;
  private readonly timestamps = new LogTimestamps();
  private lines: string[] = [];
  private linesLength = 0;
  private scheduled = false;
  private droppedLines = 0;

  constructor(
    config: Pick<LogConfig, "level" | "format">,
    private readonly outputs: readonly LogOutput[],
  ) {
    this.threshold = logLevels.indexOf(config.level);
    this.format = config.format === "console" ? formatConsoleLine : formatJsonLine;
  }

  debug(caller: string, message: string, fields?: LogFields): void {
    this.write("debug", caller, message, fields);
  }

  info(caller: string, message: string, fields?: LogFields): void {
    this.write("info", caller, message, fields);
  }

  warn(caller: string, message: string, fields?: LogFields): void {
    this.write("warn", caller, message, fields);
  }

  error(caller: string, message: string, fields?: LogFields): void {
    this.write("error", caller, message, fields);
  }

  /** For the last line of a process that can not go on; written before it returns. */
  fatal(caller: string, message: string, fields?: LogFields): void {
    this.write("fatal", caller, message, fields);
    this.flush();
  }

  /** For the last line of a process that has a bug; written before it returns. */
  panic(caller: string, message: string, fields?: LogFields): void {
    this.write("panic", caller, message, fields);
    this.flush();
  }

  /** Writes everything that waits, as far as the outputs take it within 200 ms. */
  flush(): void {
    this.handOver();
    const deadline = performance.now() + flushMsMax;
    for (const output of this.outputs) output.drain(deadline);
  }

  private write(level: LogLevel, caller: string, message: string, fields: LogFields | undefined): void {
    if (logLevels.indexOf(level) < this.threshold) return;
    if (this.linesLength > limits.logBacklogBytesMax) {
      this.droppedLines++;
      return;
    }
    const line = this.format({ level, timestamp: this.timestamps.now(), caller, message, fields });
    this.lines.push(line);
    this.linesLength += line.length;
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.handOver());
  }

  private handOver(): void {
    this.scheduled = false;
    if (this.lines.length === 0) return;
    const batch = Buffer.from(this.lines.join(""), "utf8");
    const dropped = this.droppedLines;
    this.lines = [];
    this.linesLength = 0;
    this.droppedLines = 0;
    for (const output of this.outputs) output.write(batch);
    if (dropped > 0) this.warn("server/log", "dropped log lines; the output is behind", { lines: dropped });
  }
}

/** Opens the outputs that `config` names. Throws the error of the file system for a file that can not be opened. */
export function openLogWriter(config: LogConfig): LogWriter {
  return new LogWriter(
    config,
    config.outputs.map((output) => openLogOutput(output, config.rotation)),
  );
}
