/** All flags, in the order of the help text. */
import type { FlagGroup, FlagSpec } from "./flag-spec.js";
import { clusteringFlags } from "./table/clustering.js";
import { memberFlags } from "./table/member.js";
import {
  featureFlags,
  hiddenFlags,
  loggingFlags,
  monitoringFlags,
  tracingFlags,
  unsafeFlags,
} from "./table/operation.js";
import { authFlags, securityFlags } from "./table/security.js";

export const flagGroups: readonly FlagGroup[] = [
  memberFlags,
  clusteringFlags,
  securityFlags,
  authFlags,
  monitoringFlags,
  loggingFlags,
  tracingFlags,
  featureFlags,
  unsafeFlags,
];

/** Every flag by its name without dashes. */
export const flagsByName: ReadonlyMap<string, FlagSpec> = new Map(
  [...flagGroups.flatMap((group) => group.flags), ...hiddenFlags].map((spec) => [spec.name, spec]),
);

/** The environment variable of a flag: `data-dir` is set by ETCD_DATA_DIR. */
export function environmentName(flagName: string): string {
  return `ETCD_${flagName.toUpperCase().replaceAll("-", "_")}`;
}
