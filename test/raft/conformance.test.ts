/**
 * The state machine against etcd-raft's own scripts: the same inputs must have the same effects, to the letter.
 * What differs here is a protocol that etcd's model checkers and years of use do not speak for.
 *
 * The scripts are etcd's and not part of this repository: they are taken from RAFT_CONFORMANCE_DIR, else from a
 * folder beside it, else from the sources of etcd-raft as Go's module proxy has them.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { leaveOut } from "../support/leave-out.js";
import { findProgram, repositoryRoot } from "../support/server-binary.js";
import { goModuleSources } from "../tools/go-tools.js";
import { ConfChangeDriver } from "./driver/confchange.js";
import { InteractionDriver } from "./driver/interaction.js";
import { runQuorumCommand } from "./driver/quorum.js";
import type { Command } from "./driver/script.js";
import { parseScript, withoutLogLines } from "./driver/script.js";

/** The folders that there are, as absolute paths. */
async function scriptFolders(): Promise<readonly string[]> {
  const given = process.env.RAFT_CONFORMANCE_DIR;
  if (given !== undefined) return [resolve(given)];
  const beside = resolve(repositoryRoot, "../shared/raft-conformance");
  if (existsSync(beside)) return [beside];
  if (findProgram("go") === undefined) return [];
  const sources = await goModuleSources("go.etcd.io/raft/v3");
  return ["testdata", "confchange/testdata", "quorum/testdata"].map((name) => join(sources, name));
}

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

const scripts = (await scriptFolders()).flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => join(folder, name)),
);

describe("etcd-raft's scripts", () => {
  if (scripts.length === 0) {
    leaveOut(
      ["every script"],
      "there are none in RAFT_CONFORMANCE_DIR, and without Go there is no other source",
    );
  }
  for (const path of scripts) it(path.split("/").slice(-3).join("/"), () => runScript(path));
});
