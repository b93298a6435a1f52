/** One line of a server's log in JSON. Fields beside these are the message's own. */
export interface ServerLogLine {
  readonly level: string;
  readonly ts: string;
  readonly caller: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const required = ["level", "ts", "caller", "msg"] as const;

/** The line as an object, or undefined where it is not a log line in JSON. */
export function parseServerLogLine(line: string): ServerLogLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  return required.every((name) => typeof fields[name] === "string") ? (value as ServerLogLine) : undefined;
}

export function logMessage(line: string): string | undefined {
  return parseServerLogLine(line)?.msg;
}
