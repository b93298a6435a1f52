/**
 * Every metric: etcd's names, kinds, labels and bucket bounds, so that its dashboards and alerts work unchanged,
 * and a few that Prometheus's Go client adds to every process.
 */
export type MetricSpec =
  | { readonly kind: "counter" | "gauge"; readonly help: string; readonly labels?: readonly string[] }
  | {
      readonly kind: "histogram";
      readonly help: string;
      readonly labels?: readonly string[];
      /** Upper bounds of the buckets, rising. */
      readonly bounds: readonly number[];
    };

function counter(help: string, labels: readonly string[] = []) {
  return { kind: "counter", help, labels } as const;
}

function gauge(help: string, labels: readonly string[] = []) {
  return { kind: "gauge", help, labels } as const;
}

function histogram(help: string, bounds: readonly number[], labels: readonly string[] = []) {
  return { kind: "histogram", help, bounds, labels } as const;
}

/** `count` bounds from `first` on, each twice the one before. */
function doubling(first: number, count: number): readonly number[] {
  // Rounding hides what binary fractions add: 0.1 × 2^n must print as 0.4, not 0.4000000001.
  return Array.from({ length: count }, (_, at) => Number((first * 2 ** at).toPrecision(12)));
}

/** 1 ms to 8 s: most durations on disk and network. */
const fromMilliseconds = doubling(0.001, 14);

export const metricCatalogue = {
  etcd_cluster_version: gauge("1 for the version that the members agreed on", ["cluster_version"]),
  etcd_debugging_auth_revision: gauge("Always zero: there is no authentication yet"),
  etcd_debugging_disk_backend_commit_rebalance_duration_seconds: histogram(
    "Always empty: part of a bbolt commit",
    fromMilliseconds,
  ),
  etcd_debugging_disk_backend_commit_spill_duration_seconds: histogram(
    "Always empty: part of a bbolt commit",
    fromMilliseconds,
  ),
  etcd_debugging_disk_backend_commit_write_duration_seconds: histogram(
    "Always empty: part of a bbolt commit",
    fromMilliseconds,
  ),
  etcd_debugging_lease_granted_total: counter("Leases granted"),
  etcd_debugging_lease_renewed_total: counter("Renewals that the leader saw"),
  etcd_debugging_lease_revoked_total: counter("Leases revoked"),
  etcd_debugging_lease_ttl_total: histogram("Granted times to live in seconds", doubling(1, 24)),
  etcd_debugging_mvcc_compact_revision: gauge("Revision of the newest compaction"),
  etcd_debugging_mvcc_current_revision: gauge("Revision of the store"),
  etcd_debugging_mvcc_db_compaction_keys_total: counter("Revisions removed by compactions"),
  etcd_debugging_mvcc_db_compaction_last: gauge("Unix time of the newest compaction"),
  etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds: histogram(
    "Always empty: a slice of a compaction ends with the turn of the event loop",
    doubling(1, 13),
  ),
  etcd_debugging_mvcc_db_compaction_total_duration_milliseconds: histogram(
    "Length of a whole compaction",
    doubling(100, 14),
  ),
  etcd_debugging_mvcc_events_total: counter("Events sent to watches"),
  etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds: histogram(
    "Always empty: the key index is pruned in slices of a turn",
    doubling(0.5, 14),
  ),
  etcd_debugging_mvcc_keys_total: gauge("Keys"),
  etcd_debugging_mvcc_pending_events_total: gauge("Events that wait for slow watches"),
  etcd_debugging_mvcc_slow_watcher_total: gauge("Watches that are behind"),
  etcd_debugging_mvcc_total_put_size_in_bytes: gauge("Bytes of all keys and values put"),
  etcd_debugging_mvcc_watch_stream_total: gauge("Watch streams"),
  etcd_debugging_mvcc_watcher_total: gauge("Watches"),
  etcd_debugging_server_lease_expired_total: counter("Leases that ran out"),
  etcd_debugging_server_watch_send_loop_control_stream_duration_seconds: histogram(
    "Always empty: an answer is handed to the connection at once, no loop sends it",
    fromMilliseconds,
  ),
  etcd_debugging_server_watch_send_loop_progress_duration_seconds: histogram(
    "Always empty: an answer is handed to the connection at once, no loop sends it",
    fromMilliseconds,
  ),
  etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds: histogram(
    "Always empty: an answer is handed to the connection at once, no loop sends it",
    fromMilliseconds,
  ),
  etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds: histogram(
    "Always empty: an answer is handed to the connection at once, no loop sends it",
    fromMilliseconds,
  ),
  etcd_debugging_snap_save_marshalling_duration_seconds: histogram(
    "Always empty: a snapshot is a mark in the Raft log, whose syncs are counted there",
    fromMilliseconds,
  ),
  etcd_debugging_snap_save_total_duration_seconds: histogram(
    "Always empty: a snapshot is a mark in the Raft log, whose syncs are counted there",
    fromMilliseconds,
  ),
  etcd_debugging_store_expires_total: counter("Always zero: of the store of etcd 2"),
  etcd_debugging_store_watch_requests_total: counter("Always zero: of the store of etcd 2"),
  etcd_debugging_store_watchers: gauge("Always zero: of the store of etcd 2"),
  etcd_disk_backend_commit_duration_seconds: histogram(
    "Time to make a batch durable in the store",
    fromMilliseconds,
  ),
  etcd_disk_backend_defrag_duration_seconds: histogram(
    "Always empty: defragmentation is not served yet",
    doubling(0.1, 13),
  ),
  etcd_disk_backend_snapshot_duration_seconds: histogram(
    "Time to send an image of the store",
    doubling(0.01, 17),
  ),
  etcd_disk_defrag_inflight: gauge("Always zero: defragmentation is not served yet"),
  etcd_disk_wal_fsync_duration_seconds: histogram("Time of fdatasync of the Raft log", fromMilliseconds),
  etcd_disk_wal_write_bytes_total: gauge("Bytes written to the Raft log"),
  etcd_disk_wal_write_duration_seconds: histogram("Time of a write to the Raft log", fromMilliseconds),
  etcd_grpc_proxy_cache_hits_total: gauge("Always zero: this is no proxy"),
  etcd_grpc_proxy_cache_keys_total: gauge("Always zero: this is no proxy"),
  etcd_grpc_proxy_cache_misses_total: gauge("Always zero: this is no proxy"),
  etcd_grpc_proxy_events_coalescing_total: counter("Always zero: this is no proxy"),
  etcd_grpc_proxy_watchers_coalescing_total: gauge("Always zero: this is no proxy"),
  etcd_mvcc_db_open_read_transactions: gauge("Always zero: a read holds no transaction of the disk open"),
  etcd_mvcc_db_total_size_in_bytes: gauge("Bytes of the store on disk"),
  etcd_mvcc_db_total_size_in_use_in_bytes: gauge("Bytes of the store that hold live data"),
  etcd_mvcc_delete_total: counter("Deletes"),
  etcd_mvcc_hash_duration_seconds: histogram(
    "Always empty: the hash of a whole bbolt file",
    doubling(0.01, 15),
  ),
  etcd_mvcc_hash_rev_duration_seconds: histogram(
    "Time to hash the store up to a revision",
    doubling(0.01, 15),
  ),
  etcd_mvcc_put_total: counter("Puts"),
  etcd_mvcc_range_total: counter("Ranges"),
  etcd_mvcc_txn_total: counter("Transactions"),
  etcd_network_client_grpc_received_bytes_total: counter("Bytes from clients"),
  etcd_network_client_grpc_sent_bytes_total: counter("Bytes to clients"),
  etcd_network_known_peers: gauge("1 for each member known", ["Local", "Remote"]),
  etcd_server_apply_duration_seconds: histogram("Time to apply a request of the log", doubling(0.0001, 20), [
    "version",
    "op",
    "success",
  ]),
  etcd_server_client_requests_total: counter("Always empty: a client may send any text as its version", [
    "type",
    "client_api_version",
  ]),
  etcd_server_feature_enabled: gauge("1 for features that are on", ["name", "stage"]),
  etcd_server_go_version: gauge("1 for the runtime", ["server_go_version"]),
  etcd_server_has_leader: gauge("1 while a leader is known"),
  etcd_server_health_failures: counter("Health checks that failed"),
  etcd_server_health_success: counter("Health checks that passed"),
  etcd_server_healthcheck: gauge("1 for checks that passed when last run", ["type", "name"]),
  etcd_server_healthchecks_total: counter("Checks run", ["type", "name", "status"]),
  etcd_server_heartbeat_send_failures_total: counter("Always zero: heartbeats wait for no disk"),
  etcd_server_id: gauge("1 for the id of this member", ["server_id"]),
  etcd_server_is_leader: gauge("1 while this member leads"),
  etcd_server_is_learner: gauge("1 while this member is a learner"),
  etcd_server_leader_changes_seen_total: counter("Changes of leader"),
  etcd_server_learner_promote_successes: counter("Always zero: member changes are not served yet"),
  etcd_server_proposals_applied_total: gauge("Index of the newest applied entry"),
  etcd_server_proposals_committed_total: gauge("Index of the newest committed entry"),
  etcd_server_proposals_failed_total: counter("Proposals that failed"),
  etcd_server_proposals_pending: gauge("Proposals that wait"),
  etcd_server_quota_backend_bytes: gauge("Bytes of data above which writes are refused"),
  etcd_server_read_indexes_failed_total: counter("Linearizable reads that were not confirmed"),
  etcd_server_request_duration_seconds: histogram(
    "Time from a request to its outcome, in the log or of local state; one key of local state counts as no time",
    fromMilliseconds,
    ["type", "success"],
  ),
  etcd_server_slow_apply_total: counter("Requests whose apply took longer than --warning-apply-duration"),
  etcd_server_slow_read_indexes_total: counter(
    "Always zero: a question for the leader that stays open is asked again",
  ),
  etcd_server_snapshot_apply_in_progress_total: gauge("1 while a snapshot is taken over"),
  etcd_server_version: gauge("1 for the version of this member", ["server_version"]),
  etcd_snap_db_fsync_duration_seconds: histogram(
    "Always empty: LevelDB syncs a received image as it writes it",
    fromMilliseconds,
  ),
  etcd_snap_db_save_total_duration_seconds: histogram("Time to save a received image", doubling(0.1, 10)),
  etcd_snap_fsync_duration_seconds: histogram(
    "Always empty: a snapshot is a mark in the Raft log, whose syncs are counted there",
    fromMilliseconds,
  ),
  grpc_server_handled_total: counter("Calls ended", [
    "grpc_type",
    "grpc_service",
    "grpc_method",
    "grpc_code",
  ]),
  grpc_server_msg_received_total: counter("Messages received", ["grpc_type", "grpc_service", "grpc_method"]),
  grpc_server_msg_sent_total: counter("Messages sent", ["grpc_type", "grpc_service", "grpc_method"]),
  grpc_server_started_total: counter("Calls begun", ["grpc_type", "grpc_service", "grpc_method"]),
  os_fd_limit: gauge("File descriptors that the process may have"),
  os_fd_used: gauge("File descriptors that the process has"),
  process_cpu_seconds_total: counter("Processor time used"),
  process_max_fds: gauge("File descriptors that the process may have"),
  process_open_fds: gauge("File descriptors that the process has"),
  process_resident_memory_bytes: gauge("Memory in use"),
  process_start_time_seconds: gauge("Unix time of the start"),
  process_virtual_memory_bytes: gauge("Address space in use"),
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof metricCatalogue;
