/** What a member asks of the leader about leases when it is not the leader itself: the leader alone knows time. */
import type { LeaseId, MemberId } from "../base/brand.js";

export interface LeaseTimes {
  /** Whole seconds until the lease ends. */
  readonly remainingSeconds: number;
  readonly grantedSeconds: number;
  /** The keys on it, where they were asked for. */
  readonly keys: readonly Uint8Array[];
}

/** Undefined: the one that was asked does not lead (any more); ask the one that does. */
export type RenewedSeconds = number | undefined;

export interface LeasePeers {
  /** One answer each, in order; 0: there is no such lease. Rejects when `leader` does not answer in time. */
  renewLeases(
    leader: MemberId,
    leases: readonly LeaseId[],
    timeoutMs: number,
  ): Promise<readonly RenewedSeconds[]>;
  /** "unknown": there is no such lease. Rejects when `leader` does not answer in time, or does not lead. */
  leaseTimes(
    leader: MemberId,
    lease: LeaseId,
    options: { readonly keys: boolean; readonly timeoutMs: number },
  ): Promise<LeaseTimes | "unknown">;
}
