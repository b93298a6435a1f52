/** How often the log learns what is left of a lease, so that the next leader does not grant the whole time again. */
import { limits } from "../base/limits.js";
import type { Countdown } from "./countdown.js";
import type { Lease } from "./lease.js";

/** One item of etcdserverpb.LeaseCheckpointRequest. */
export interface LeaseCheckpoint {
  readonly id: bigint;
  /** 0: the whole time is left again. */
  readonly remainingSeconds: number;
}

/**
 * A lease that nobody has renewed yet may be one that nobody will: its time is kept closely. One that is kept
 * alive is left alone a little longer than the third of its time at which clients renew.
 */
export function firstCheckpointMs({ lease, wasRenewed }: Countdown): number {
  if (!wasRenewed) return checkpointEveryMs(lease);
  return Math.min(limits.leaseCheckpointMsMax, lease.ttlSeconds * keptAliveCheckpointMsPerSecond);
}

export function checkpointEveryMs(lease: Lease): number {
  const partMs = lease.ttlSeconds * checkpointMsPerSecond;
  return Math.max(limits.leaseCheckpointMsMin, Math.min(limits.leaseCheckpointMsMax, partMs));
}

/** A fifth of the time to live. */
const checkpointMsPerSecond = 200;
/** Two fifths: above the third at which clients renew. */
const keptAliveCheckpointMsPerSecond = 400;
