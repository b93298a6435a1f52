/** What a member counts of leases; the names are etcd's. Outlives the state that an installed snapshot replaces. */
import type { Counter, Histogram, MetricRegistry } from "../base/metrics.js";

export interface LeaseMetrics {
  readonly granted: Counter;
  readonly renewed: Counter;
  readonly revoked: Counter;
  /** Revoked by this member as the leader because their time was over. */
  readonly expired: Counter;
  readonly ttlSeconds: Histogram;
}

export function leaseMetrics(registry: MetricRegistry): LeaseMetrics {
  return {
    granted: registry.counter("etcd_debugging_lease_granted_total"),
    renewed: registry.counter("etcd_debugging_lease_renewed_total"),
    revoked: registry.counter("etcd_debugging_lease_revoked_total"),
    expired: registry.counter("etcd_debugging_server_lease_expired_total"),
    ttlSeconds: registry.histogram("etcd_debugging_lease_ttl_total"),
  };
}
