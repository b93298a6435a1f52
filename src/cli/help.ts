/** Usage and help, laid out as cobra does. */
import type { CommandEntry } from "./command.js";
import { commandGroups } from "./commands/index.js";
import { type CommandPath, helpFlag } from "./find-command.js";
import { flagUsages } from "./flags.js";
import { globalFlags } from "./global-flags.js";

const nameWidthMin = 11;

/** "Usage: …" with commands and flags; what follows an error in the flags. */
export function usageText(path: CommandPath): string {
  const { spec } = path;
  const above = path.names.slice(0, -1).join(" ");
  const children = spec.children ?? [];
  let text = "Usage:";
  if (spec.run !== undefined) {
    const withFlags = spec.use.includes("[flags]") ? spec.use : `${spec.use} [flags]`;
    text += `\n  ${above} ${withFlags}`;
  }
  if (children.length > 0) text += `\n  ${path.names.join(" ")} [command]`;
  if (spec.examples !== undefined) text += `\n\nExamples:\n${spec.examples}`;
  if (children.length > 0) text += childrenText(children, path.entry === undefined);
  if (path.entry !== undefined) {
    const local = [...(spec.flags ?? []), ...(spec.sharedFlags ?? []), helpFlag(path.names.at(-1)!)];
    text += `\n\nFlags:\n${flagUsages(local).trimEnd()}`;
    const inherited = path.inheritedFlags.filter((flag) => !globalFlags.includes(flag));
    if (inherited.length > 0) text += `\n\nGlobal Flags:\n${flagUsages(inherited).trimEnd()}`;
  }
  if (children.length > 0) {
    text += `\n\nUse "${path.names.join(" ")} [command] --help" for more information about a command.`;
  }
  return `${text}\n`;
}

/** What `--help` prints. */
export function helpText(path: CommandPath): string {
  const about = (path.spec.description ?? path.entry?.summary ?? "").trimEnd();
  const options = `Use "${path.names[0]} options" for a list of global command-line options (applies to all commands).`;
  return `${about}\n\n${usageText(path)}${options}\n`;
}

function childrenText(children: readonly CommandEntry[], grouped: boolean): string {
  const width = Math.max(nameWidthMin, ...children.map((child) => child.name.length));
  const sorted = [...children].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = (entries: readonly CommandEntry[]): string =>
    entries.map((entry) => `\n  ${entry.name.padEnd(width)} ${entry.summary}`).join("");
  if (!grouped) return `\n\nAvailable Commands:${lines(sorted)}`;
  return commandGroups
    .map((group) => ({ group, entries: sorted.filter((entry) => entry.group === group) }))
    .filter(({ entries }) => entries.length > 0)
    .map(({ group, entries }) => `\n\n${group}${lines(entries)}`)
    .join("");
}
