/**
 * What a running member shows in /metrics beside what api/http reads off it at a scrape. What happens often is a
 * number that is counted anyway and read at a scrape; what happens seldom is timed here, around the store.
 */
import type { ApplyObserver } from "../apply/applier.js";
import { RequestTimes, requestName } from "../apply/request-times.js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { Logger } from "../base/logger.js";
import type { MetricRegistry } from "../base/metrics.js";
import type { WatchHub } from "../mvcc/watch/watch-hub.js";
import type { Clock } from "../ports/clock.js";
import type { RevisionStore } from "../ports/revision-store.js";
import type { WalObserver } from "../storage/wal/wal.js";
import type { ComposedMember } from "./compose-member.js";
import { type FeatureGates, featureNames, featureSpecs } from "./flags/feature-gates.js";
import { nodeClock } from "./node-clock.js";

export function walObserver(registry: MetricRegistry): WalObserver {
  const written = registry.gauge("etcd_disk_wal_write_bytes_total");
  const writes = registry.histogram("etcd_disk_wal_write_duration_seconds");
  const syncs = registry.histogram("etcd_disk_wal_fsync_duration_seconds");
  let bytesWritten = 0;
  written.follow(() => bytesWritten);
  return {
    wrote(bytes: number, durationMs: number): void {
      bytesWritten += bytes;
      writes.observe(durationMs / 1_000);
    },
    synced(durationMs: number): void {
      syncs.observe(durationMs / 1_000);
    },
  };
}

export function requestDurations(registry: MetricRegistry): RequestTimes {
  return new RequestTimes((type, success) =>
    registry.histogram("etcd_server_request_duration_seconds", type, success),
  );
}

/** What is applied, timed one by one: the clock is read once for each. Those that took longer than `slowMs` are told. */
export function measuredApply(
  options: { readonly slowMs: number },
  deps: {
    readonly registry: MetricRegistry;
    readonly clock: Pick<Clock, "monotonicMs">;
    readonly logger: Logger;
  },
): ApplyObserver {
  const { registry, clock, logger } = deps;
  const times = new RequestTimes((op, success) =>
    registry.histogram("etcd_server_apply_duration_seconds", "v3", op, success),
  );
  const slow = registry.counter("etcd_server_slow_apply_total");
  let sinceMs = 0;
  return {
    begin(): void {
      sinceMs = clock.monotonicMs();
    },
    applied({ field, outcome }): void {
      const nowMs = clock.monotonicMs();
      const tookMs = nowMs - sinceMs;
      sinceMs = nowMs;
      const name = requestName(field);
      times.observe(name, !(outcome instanceof StoreError) || isStoreError(outcome, "Compacted"), tookMs);
      if (tookMs <= options.slowMs) return;
      slow.add();
      logger.warn("server/apply", "apply request took too long", {
        took: `${tookMs.toFixed(3)}ms`,
        "expected-duration": `${options.slowMs}ms`,
        request: name,
      });
    },
  };
}

export function showWatches(registry: MetricRegistry, hub: WatchHub): void {
  registry.gauge("etcd_debugging_mvcc_watcher_total").follow(() => hub.watchCount);
  registry.gauge("etcd_debugging_mvcc_watch_stream_total").follow(() => hub.streamCount);
  registry.gauge("etcd_debugging_mvcc_slow_watcher_total").follow(() => hub.laggingCount);
}

/** The counts of the keys begin anew when an image of the store is taken over, as at a restart. */
export function showMember(registry: MetricRegistry, composed: ComposedMember): void {
  const { member, keeper, leaders, core } = composed;
  const mvcc = () => core.state.deps.mvcc;
  registry.follow("etcd_mvcc_range_total", () => mvcc().counts.ranges);
  registry.follow("etcd_mvcc_put_total", () => mvcc().counts.puts);
  registry.follow("etcd_mvcc_delete_total", () => mvcc().counts.deletes);
  registry.follow("etcd_mvcc_txn_total", () => mvcc().counts.transactions);
  registry.gauge("etcd_debugging_mvcc_total_put_size_in_bytes").follow(() => mvcc().counts.putBytes);
  registry.gauge("etcd_debugging_mvcc_keys_total").follow(() => mvcc().keyCount);
  registry.gauge("etcd_debugging_mvcc_compact_revision").follow(() => Math.max(0, mvcc().compactedRevision));
  registry.gauge("etcd_server_proposals_pending").follow(() => member.proposalsPending);
  registry.follow("etcd_server_proposals_failed_total", () => member.failures.proposals);
  registry.follow("etcd_server_read_indexes_failed_total", () => member.failures.reads);
  registry.follow("etcd_server_leader_changes_seen_total", () => leaders.changesSeen);
  const hashes = registry.histogram("etcd_mvcc_hash_rev_duration_seconds");
  const hashKv = member.hashKv.bind(member);
  member.hashKv = async (revision) => {
    const startedMs = nodeClock.monotonicMs();
    const result = await hashKv(revision);
    hashes.observe((nodeClock.monotonicMs() - startedMs) / 1_000);
    return result;
  };
  registry.gauge("etcd_server_snapshot_apply_in_progress_total").follow(() => (keeper.busy ? 1 : 0));
}

/** What was decided before the member was made. */
export function showFeatures(registry: MetricRegistry, features: FeatureGates): void {
  for (const name of featureNames) {
    const { stage } = featureSpecs[name];
    registry.gauge("etcd_server_feature_enabled", name, stage).set(features[name] ? 1 : 0);
  }
}

/** `store` itself, its flushes, compactions and images timed. */
export function measuredStore(store: RevisionStore, registry: MetricRegistry): RevisionStore {
  const commits = registry.histogram("etcd_disk_backend_commit_duration_seconds");
  const compactions = registry.histogram("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds");
  const dropped = registry.counter("etcd_debugging_mvcc_db_compaction_keys_total");
  const lastCompaction = registry.gauge("etcd_debugging_mvcc_db_compaction_last");
  const images = registry.histogram("etcd_disk_backend_snapshot_duration_seconds");
  const flush = store.flush.bind(store);
  const compact = store.compact.bind(store);
  const openImage = store.openImage.bind(store);
  const sinceMs = (startedMs: number): number => nodeClock.monotonicMs() - startedMs;
  store.flush = async (durableIndex, options) => {
    const startedMs = nodeClock.monotonicMs();
    await flush(durableIndex, options);
    commits.observe(sinceMs(startedMs) / 1_000);
  };
  store.compact = async (upTo, alive) => {
    const startedMs = nodeClock.monotonicMs();
    await compact(upTo, (record) => {
      const stays = alive(record);
      if (!stays) dropped.add();
      return stays;
    });
    compactions.observe(sinceMs(startedMs));
    lastCompaction.set(Math.floor(nodeClock.nowMs() / 1_000));
  };
  store.openImage = async () => {
    const startedMs = nodeClock.monotonicMs();
    const image = await openImage();
    const close = image.close.bind(image);
    let closed = false;
    image.close = async () => {
      if (!closed) images.observe(sinceMs(startedMs) / 1_000);
      closed = true;
      await close();
    };
    return image;
  };
  return store;
}
