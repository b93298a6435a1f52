/** The texts of `--help` and of a command line that can not be understood. */
import { featureNames, featureSpecs } from "./feature-gates.js";
import type { FlagSpec } from "./flag-spec.js";
import { flagGroups } from "./flag-table.js";

export const usageText = `Usage:

  etcd [flags]
    Start a member.

  etcd --version
    Print the version.

  etcd -h | --help
    List the flags.

  etcd --config-file <path>
    Start a member with the settings of a YAML file; other flags and the environment are then not looked at.
    Times in the file are whole nanoseconds (600000000000) or texts ("10m").
`;

/** All flags in their groups. */
export function flagsText(): string {
  const lines: string[] = [];
  for (const group of flagGroups) {
    lines.push("", `${group.title}:`);
    for (const spec of group.flags) lines.push(...flagLines(spec));
  }
  lines.push("", "Unsafe features can lose data, or break what the cluster promises.", "");
  return lines.join("\n");
}

function flagLines(spec: FlagSpec): readonly string[] {
  const lines = [`  --${spec.name} '${spec.defaultText}'`, `    ${spec.help}`];
  if (spec.choices !== undefined) lines.push(`    One of: ${spec.choices.join(", ")}.`);
  if (spec.kind === "featureGates") {
    for (const name of featureNames) {
      const { stage, enabled } = featureSpecs[name];
      lines.push(`    ${name}=true|false (${stage} - default=${enabled})`);
    }
  }
  return lines;
}
