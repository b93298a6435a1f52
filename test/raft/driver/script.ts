/**
 * Scripts of commands with what they print: a command line (`command arg key=value key=(a,b)`), input lines,
 * `----`, and the output up to a blank line; output that has blank lines itself stands between doubled fences.
 * Lines that begin with `#` are comments.
 */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
  /** Of the command line in the script, from 1. */
  readonly line: number;
}

const fence = "----";

export function parseScript(text: string): Command[] {
  const lines = text.split("\n");
  const commands: Command[] = [];
  let at = 0;
  const next = (): string => lines[at++] ?? "";
  while (at < lines.length) {
    const line = at + 1;
    let commandLine = next();
    if (commandLine.trim() === "" || commandLine.startsWith("#")) continue;
    while (commandLine.endsWith("\\")) commandLine = commandLine.slice(0, -1) + next();
    const input: string[] = [];
    while (at < lines.length && lines[at] !== fence) input.push(next());
    if (next() !== fence) throw new Error(`line ${line}: a command without output`);
    const expected: string[] = [];
    if (lines[at] === fence) {
      next();
      while (at < lines.length && !(lines[at] === fence && lines[at + 1] === fence)) expected.push(next());
      at += 2;
    } else {
      while (at < lines.length && lines[at]!.trim() !== "") expected.push(next());
    }
    const { name, args } = parseCommandLine(commandLine);
    commands.push({ name, args, input: input.join("\n"), expected: expected.join("\n"), line });
  }
  return commands;
}

function parseCommandLine(line: string): { readonly name: string; readonly args: Argument[] } {
  const [name = "", ...words] = line.match(/[^\s=]+=\([^)]*\)|\S+/g) ?? [];
  return { name, args: words.map(parseArgument) };
}

function parseArgument(word: string): Argument {
  const equals = word.indexOf("=");
  if (equals < 0) return { key: word, values: [] };
  const value = word.slice(equals + 1);
  const list = /^\((.*)\)$/.exec(value)?.[1];
  const values = list === undefined ? [value] : list.split(/[\s,]+/).filter((item) => item !== "");
  return { key: word.slice(0, equals), values };
}

/**
 * Text without the lines that begin with a log level (of which every implementation has its own), for
 * comparison. A command that prints nothing prints "ok", so what only logged and what printed nothing are alike.
 */
export function withoutLogLines(text: string): string {
  const kept = text.split("\n").filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR) /.test(line));
  const joined = kept.join("\n").replace(/\n$/, "");
  return joined === "" ? "ok" : joined;
}
