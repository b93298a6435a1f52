/**
 * The state machine against etcd-raft's own scripts: the same inputs must have the same effects, to the letter.
 * What differs here is a protocol that etcd's model checkers and years of use do not speak for.
 *
 * The scripts are etcd's and not part of this repository: they are looked for in RAFT_CONFORMANCE_DIR, else
 * beside it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfChangeDriver } from "./driver/confchange.js";
import { InteractionDriver } from "./driver/interaction.js";
import { runQuorumCommand } from "./driver/quorum.js";
import type { Command } from "./driver/script.js";
import { parseScript, withoutLogLines } from "./driver/script.js";

const repository = resolve(import.meta.dirname, "../..");
const folder = process.env.RAFT_CONFORMANCE_DIR ?? resolve(repository, "../shared/raft-conformance");

/** A script tells by its commands what it is about. */
function runnerFor(commands: readonly Command[]): (command: Command) => string {
  const uses = (...names: readonly string[]): boolean => commands.some(({ name }) => names.includes(name));
  if (uses("committed", "vote")) return runQuorumCommand;
  if (uses("simple", "enter-joint", "leave-joint")) {
    const driver = new ConfChangeDriver();
    return (command) => driver.run(command);
  }
  const driver = new InteractionDriver();
  return (command) => driver.run(command);
}

function runScript(path: string): void {
  const commands = parseScript(readFileSync(path, "utf8"));
  const run = runnerFor(commands);
  for (const command of commands) {
    const actual = withoutLogLines(run(command));
    expect(actual, `${path}:${command.line}: ${command.name}`).toBe(withoutLogLines(command.expected));
  }
}

const scripts = existsSync(folder)
  ? readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".txt"))
      .sort()
  : [];

describe("etcd-raft's scripts", () => {
  if (scripts.length === 0) {
    it.skip(`skipped, as there are none in ${folder}: set RAFT_CONFORMANCE_DIR to a copy of them`);
  }
  for (const name of scripts) it(name, () => runScript(join(folder, name)));
});
