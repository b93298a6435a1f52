/** Metrics that are read off a member when somebody asks. Those that count are fed where things happen. */
import type { MetricRegistry } from "../../base/metrics.js";
import { etcdVersion } from "../../base/version.js";
import type { Member } from "../../member/contract.js";

/** Brings the metrics that show the member's state up to date, for a scrape. */
export function refreshMemberMetrics(registry: MetricRegistry, member: Member): void {
  const status = member.status();
  registry.gauge("etcd_server_has_leader").set(status.leader === 0n ? 0 : 1);
  registry.gauge("etcd_server_is_leader").set(status.leader === status.memberId ? 1 : 0);
  registry.gauge("etcd_server_is_learner").set(status.isLearner ? 1 : 0);
  registry.gauge("etcd_server_proposals_committed_total").set(status.committedIndex);
  registry.gauge("etcd_server_proposals_applied_total").set(status.appliedIndex);
  registry.gauge("etcd_server_quota_backend_bytes").set(status.quotaBytes);
  registry.gauge("etcd_debugging_mvcc_current_revision").set(status.revision);
  registry.gauge("etcd_mvcc_db_total_size_in_bytes").set(status.storeBytes);
  registry.gauge("etcd_mvcc_db_total_size_in_use_in_bytes").set(status.storeBytesInUse);
  registry.gauge("etcd_server_id", hex(status.memberId)).set(1);
  registry.gauge("etcd_server_version", etcdVersion).set(1);
  registry.gauge("etcd_server_go_version", `node ${process.version}`).set(1);
  registry.forget("etcd_cluster_version");
  if (status.clusterVersion !== undefined) {
    const minor = status.clusterVersion.split(".").slice(0, 2).join(".");
    registry.gauge("etcd_cluster_version", minor).set(1);
  }
  registry.forget("etcd_network_known_peers");
  for (const { id } of member.members()) {
    registry.gauge("etcd_network_known_peers", hex(status.memberId), hex(id)).set(1);
  }
}

function hex(id: bigint): string {
  return id.toString(16);
}
