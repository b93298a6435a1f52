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

const runners: Readonly<Record<string, () => (command: Command) => string>> = {
  interaction: () => {
    const driver = new InteractionDriver();
    return (command) => driver.run(command);
  },
  confchange: () => {
    const driver = new ConfChangeDriver();
    return (command) => driver.run(command);
  },
  quorum: () => runQuorumCommand,
};

function scriptsIn(kind: string): string[] {
  const path = join(folder, kind);
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".txt")) : [];
}

function runScript(kind: string, name: string): void {
  const run = runners[kind]!();
  for (const command of parseScript(readFileSync(join(folder, kind, name), "utf8"))) {
    const actual = withoutLogLines(run(command));
    expect(actual, `${name}:${command.line}: ${command.name}`).toBe(withoutLogLines(command.expected));
  }
}

for (const kind of Object.keys(runners)) {
  const scripts = scriptsIn(kind);
  describe(`etcd-raft's ${kind} scripts`, () => {
    it.skipIf(scripts.length > 0)(`(skipped unless absent: there are ${scripts.length})`, ({ skip }) => {
      skip(`no scripts in ${join(folder, kind)}: set RAFT_CONFORMANCE_DIR to a copy of etcd-raft's`);
    });
    for (const name of scripts) it(name, () => runScript(kind, name));
  });
}
