/** Names in the help text of etcd 3.7.1, in its order. */
export const etcdFlagNames: readonly string[] = `
name data-dir wal-dir snapshot-count heartbeat-interval election-timeout
initial-election-tick-advance listen-peer-urls listen-client-urls listen-client-http-urls
max-snapshots max-wals memory-mlock quota-backend-bytes backend-bbolt-freelist-type
backend-batch-interval backend-batch-limit max-txn-ops max-request-bytes max-concurrent-streams
grpc-keepalive-min-time grpc-keepalive-interval grpc-keepalive-timeout socket-reuse-port
socket-reuse-address enable-grpc-gateway raft-read-timeout raft-write-timeout feature-gates
initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token
advertise-client-urls discovery discovery-token discovery-endpoints discovery-dial-timeout
discovery-request-timeout discovery-keepalive-time discovery-keepalive-timeout
discovery-insecure-transport discovery-insecure-skip-tls-verify discovery-cert discovery-key
discovery-cacert discovery-user discovery-password discovery-fallback discovery-proxy discovery-srv
discovery-srv-name strict-reconfig-check pre-vote auto-compaction-retention auto-compaction-mode
v2-deprecation cert-file key-file client-cert-auth client-cert-file client-key-file client-crl-file
client-cert-allowed-hostname trusted-ca-file auto-tls peer-cert-file peer-key-file
peer-client-cert-auth peer-client-cert-file peer-client-key-file peer-trusted-ca-file
peer-cert-allowed-cn peer-cert-allowed-hostname peer-auto-tls self-signed-cert-validity
peer-crl-file cipher-suites cors host-whitelist tls-min-version tls-max-version auth-token
bcrypt-cost auth-token-ttl enable-pprof metrics listen-metrics-urls logger log-outputs log-level
log-format enable-log-rotation log-rotation-config-json warning-unary-request-duration
enable-distributed-tracing distributed-tracing-address distributed-tracing-service-name
distributed-tracing-instance-id distributed-tracing-sampling-rate corrupt-check-time
compact-hash-check-time compaction-batch-limit peer-skip-client-san-verification
watch-progress-notify-interval warning-apply-duration bootstrap-defrag-threshold-megabytes
max-learners compaction-sleep-interval downgrade-check-time snapshot-catchup-entries
force-new-cluster unsafe-no-fsync
`
  .trim()
  .split(/\s+/);
