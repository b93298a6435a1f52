/** The two forms of a log line. Fields that can not be shown as JSON never make logging fail. */
import type { LogFields, LogLevel } from "../base/logger.js";

export interface LogLine {
  readonly level: LogLevel;
  readonly timestamp: string;
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** `{"level":"info","ts":"…","caller":"…","msg":"…",…fields}` and a line end. */
export function formatJsonLine(line: LogLine): string {
  const caller = JSON.stringify(line.caller);
  const message = JSON.stringify(line.message);
  const head = `{"level":"${line.level}","ts":"${line.timestamp}","caller":${caller},"msg":${message}`;
  return `${head}${fieldsText(line.fields, ",", ":", ",")}}\n`;
}

/** Time, level, caller, message and the fields as JSON, with tabs between. */
export function formatConsoleLine(line: LogLine): string {
  const head = `${line.timestamp}\t${line.level}\t${line.caller}\t${line.message}`;
  const fields = fieldsText(line.fields, "", ": ", ", ");
  return fields === "" ? `${head}\n` : `${head}\t{${fields}}\n`;
}

function fieldsText(fields: LogFields | undefined, before: string, colon: string, comma: string): string {
  if (fields === undefined) return "";
  let text = "";
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value === undefined) continue;
    text += `${text === "" ? before : comma}${JSON.stringify(key)}${colon}${valueText(value)}`;
  }
  return text;
}

function valueText(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "number" && !Number.isFinite(value)) return `"${value}"`;
  try {
    return JSON.stringify(value, innerValue) ?? `"${typeof value}"`;
  } catch (error) {
    return JSON.stringify(`not loggable: ${(error as Error).message}`);
  }
}

function innerValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Error ? value.message : value;
}
