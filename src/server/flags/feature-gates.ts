/** Features that `--feature-gates` switches, by etcd's names. */
import { ConfigError } from "./config-error.js";
import { parseBool, splitOnce } from "./go-values.js";

export type FeatureStage = "ALPHA" | "BETA";

interface FeatureSpec {
  readonly stage: FeatureStage;
  readonly enabled: boolean;
}

/**
 * Lease checkpoints are on, where etcd has them off: without them a lease begins anew at each change of leader.
 */
export const featureSpecs = {
  AllAlpha: { stage: "ALPHA", enabled: false },
  AllBeta: { stage: "BETA", enabled: false },
  CompactHashCheck: { stage: "ALPHA", enabled: false },
  FastLeaseKeepAlive: { stage: "BETA", enabled: true },
  InitialCorruptCheck: { stage: "ALPHA", enabled: false },
  LeaseCheckpoint: { stage: "ALPHA", enabled: true },
  LeaseCheckpointPersist: { stage: "ALPHA", enabled: true },
  PriorityRequest: { stage: "ALPHA", enabled: false },
  SetMemberLocalAddr: { stage: "ALPHA", enabled: false },
  StopGRPCServiceOnDefrag: { stage: "ALPHA", enabled: false },
  TxnModeWriteWithSharedBuffer: { stage: "BETA", enabled: true },
} as const satisfies Record<string, FeatureSpec>;

export type FeatureName = keyof typeof featureSpecs;
export type FeatureGates = Readonly<Record<FeatureName, boolean>>;

/** Names in sorted order. */
export const featureNames = Object.keys(featureSpecs).sort() as readonly FeatureName[];

/** All features, with those that `text` ("A=true,B=false") names set. Throws ConfigError. */
export function parseFeatureGates(text: string): FeatureGates {
  const given = parseAssignments(text);
  const gates = {} as Record<FeatureName, boolean>;
  for (const name of featureNames) {
    const spec = featureSpecs[name];
    const group = spec.stage === "ALPHA" ? given.get("AllAlpha") : given.get("AllBeta");
    gates[name] = given.get(name) ?? group ?? spec.enabled;
  }
  if (given.get("LeaseCheckpoint") === false) {
    if (given.get("LeaseCheckpointPersist") === true) {
      throw new ConfigError(
        "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint",
      );
    }
    gates.LeaseCheckpointPersist = false;
  }
  return gates;
}

function parseAssignments(text: string): ReadonlyMap<FeatureName, boolean> {
  const given = new Map<FeatureName, boolean>();
  for (const assignment of text.split(",")) {
    if (assignment === "") continue;
    const [name, value] = splitOnce(assignment, "=");
    const trimmed = name.trim();
    if (value === undefined) throw new ConfigError(`missing bool value for ${trimmed}`);
    const enabled = parseBool(value.trim());
    if (enabled === undefined) {
      throw new ConfigError(
        `invalid value of ${trimmed}=${value.trim()}, err: strconv.ParseBool: parsing ${JSON.stringify(value.trim())}: invalid syntax`,
      );
    }
    if (!Object.hasOwn(featureSpecs, trimmed)) throw new ConfigError(`unrecognized feature gate: ${trimmed}`);
    given.set(trimmed as FeatureName, enabled);
  }
  return given;
}
