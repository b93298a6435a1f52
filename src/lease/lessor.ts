/**
 * The leases of a member: which there are, how long they live, which keys hang on them. All of that comes from the
 * log and is the same everywhere; when a lease ends is the leader's to say (`timing`), and happens through the log
 * like everything else.
 *
 * The keys come from the store, which tells every lease what is put on it and taken from it (LeaseBook in
 * mvcc/contract.ts): they are not stored here, and are attached again when a member starts.
 */
import { assert } from "../base/assert.js";
import type { LeaseId } from "../base/brand.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { StateRecords } from "../base/state-records.js";
import { decodeLease, encodeLease, Lease } from "./lease.js";
import type { LeaseMetrics } from "./lease-metrics.js";
import { LeaseTiming } from "./lease-timing.js";

export const leasePrefix = "lease/";

export interface LessorDeps {
  readonly records: StateRecords;
  readonly metrics: LeaseMetrics;
}

export class Lessor {
  readonly timing: LeaseTiming;
  private readonly leases = new Map<LeaseId, Lease>();

  constructor(private readonly deps: LessorDeps) {
    this.timing = new LeaseTiming(deps.metrics);
    for (const [, bytes] of deps.records.listState(leasePrefix)) {
      const lease = decodeLease(bytes);
      this.leases.set(lease.id, lease);
    }
  }

  get count(): number {
    return this.leases.size;
  }

  all(): Iterable<Lease> {
    return this.leases.values();
  }

  find(id: LeaseId): Lease | undefined {
    return this.leases.get(id);
  }

  exists(id: LeaseId): boolean {
    return this.leases.has(id);
  }

  attach(id: LeaseId, key: string): void {
    const lease = this.leases.get(id);
    assert(lease !== undefined, "a key is put on a lease that exists");
    lease.attach(key);
  }

  detach(id: LeaseId, key: string): void {
    const lease = this.leases.get(id);
    assert(lease !== undefined, "a lease outlives its keys");
    lease.detach(key);
  }

  /** `ttlSeconds` is granted as it is; errors: LeaseNotFound (id 0), LeaseTTLTooLarge, LeaseExist. */
  grant(id: LeaseId, ttlSeconds: number): Lease {
    if (id === 0n) throw storeError("LeaseNotFound");
    if (ttlSeconds > limits.leaseTtlSecondsMax) throw storeError("LeaseTTLTooLarge");
    if (this.leases.has(id)) throw storeError("LeaseExist");
    const lease = new Lease(id, Math.max(1, ttlSeconds));
    this.leases.set(id, lease);
    this.store(lease);
    this.timing.begin(lease);
    this.deps.metrics.granted.add();
    this.deps.metrics.ttlSeconds.observe(lease.ttlSeconds);
    return lease;
  }

  /** Forgets a lease whose keys are deleted already. */
  remove(lease: Lease): void {
    assert(lease.keys.length === 0, "a lease outlives its keys");
    this.leases.delete(lease.id);
    this.deps.records.setState(recordKey(lease.id), undefined);
    this.timing.end(lease);
    this.deps.metrics.revoked.add();
  }

  /** The leader of this entry's term saw so much left; 0: it was renewed. An unknown id is passed over: it was revoked. */
  checkpoint(id: LeaseId, remainingSeconds: number): void {
    const lease = this.leases.get(id);
    if (lease === undefined) return;
    lease.remainingSeconds = Math.max(0, Math.min(remainingSeconds, lease.ttlSeconds));
    this.store(lease);
    this.timing.checkpointed(lease);
  }

  private store(lease: Lease): void {
    this.deps.records.setState(recordKey(lease.id), encodeLease(lease));
  }
}

/** Ids are signed; as unsigned numbers in hex they sort as they are. */
function recordKey(id: LeaseId): string {
  return `${leasePrefix}${BigInt.asUintN(64, id).toString(16).padStart(16, "0")}`;
}
