/** Limits that a cluster of this size would never meet, made so small while the simulator runs that it does. */
import { limits } from "../../src/base/limits.js";

const small = {
  restoreRunRevisions: 20,
  watchSliceBytes: 2_000,
  watchNearRevisions: 30,
  watchSendsPerStep: 4,
  leaseStartsPerTickMax: 3,
  leaseRevokesPerTurnMax: 2,
  leaseRevokesInFlightMax: 3,
} as const;

/** Makes the limits small; the result makes them what they were. */
export function makeLimitsSmall(): () => void {
  const writable = limits as { -readonly [Name in keyof typeof small]: number };
  const usual = Object.fromEntries(
    Object.keys(small).map((name) => [name, limits[name as keyof typeof small]]),
  );
  Object.assign(writable, small);
  return () => Object.assign(writable, usual);
}
