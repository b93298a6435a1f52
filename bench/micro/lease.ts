/** Leases in memory, without log and disk: what a grant, a keep-alive, a tick and an end cost, and what one takes. */

import { bytesToLatin1 } from "../../src/base/bytes.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import type { StateRecords } from "../../src/base/state-records.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { Lessor } from "../../src/lease/lessor.js";
import { StateTable } from "../../src/storage/leveldb/state-table.js";
import type { Figure } from "./mvcc.js";

const count = 100_000;
const ttlSeconds = 60;
const tickMs = 100;

interface Bench {
  readonly lessor: Lessor;
  readonly records: StateTable;
}

/** With the table that the durable store keeps its small records in: a part of what a lease costs. */
function leader(): Bench {
  const records = new StateTable();
  const stateRecords: StateRecords = {
    getState: (key) => records.get(key),
    setState: (key, value) => records.set(key, value === undefined ? undefined : bytesToLatin1(value)),
    listState: (prefix) => records.list(prefix),
  };
  const lessor = new Lessor({ records: stateRecords, metrics: leaseMetrics(new MetricRegistry()) });
  lessor.timing.promote([], 0);
  lessor.timing.tick(0);
  return { lessor, records };
}

function microseconds(times: number, action: () => void): number {
  const startedMs = performance.now();
  action();
  return ((performance.now() - startedMs) * 1_000) / times;
}

/** Ids as the server chooses them: 63 bits, far apart. */
function idOf(number: number): bigint {
  return (BigInt(number) * 0x9e37_79b9_7f4a_7c15n) & 0x7fff_ffff_ffff_ffffn || 1n;
}

function grantAll({ lessor }: Bench, withKeys: boolean): void {
  for (let at = 0; at < count; at++) {
    const id = idOf(at + 1);
    lessor.grant(id, ttlSeconds);
    if (withKeys) lessor.attach(id, `/services/${at}`);
  }
}

/** The figures; memory is true only under --expose-gc. */
export function run(): Figure[] {
  const bench = leader();
  const { lessor } = bench;
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const grantUs = microseconds(count, () => grantAll(bench, true));
  const memory = (used() - before) / count;
  let nowMs = 0;
  const tick = (): void => {
    nowMs += tickMs;
    lessor.timing.tick(nowMs);
  };
  tick();
  const leases = [...lessor.all()];
  const renewUs = microseconds(count, () => {
    for (const [at, lease] of leases.entries()) lessor.timing.renew(lease, at + 1);
    lessor.timing.takeAnswers();
  });
  tick();
  const idleMs = microseconds(100, () => {
    for (let round = 0; round < 100; round++) {
      tick();
      lessor.timing.takeCheckpoints();
    }
  });
  const demoteMs = microseconds(1, () => lessor.timing.demote(lessor.all()));
  const promoteMs = microseconds(1, () => lessor.timing.promote(lessor.all(), 1_000));
  let longestTickMs = 0;
  for (let round = 0; round < 20; round++) longestTickMs = Math.max(longestTickMs, microseconds(1_000, tick));
  nowMs += 2 * ttlSeconds * 1_000;
  const expireUs = microseconds(count, () => {
    while (lessor.count > 0) {
      tick();
      for (let batch = lessor.timing.takeExpired(nowMs, 256); batch.length > 0; ) {
        for (const lease of batch) {
          for (const key of lease.keys) lessor.detach(lease.id, key);
          lessor.remove(lease);
        }
        batch = lessor.timing.takeExpired(nowMs, 256);
      }
    }
  });
  return [
    { name: "grant, with a key", value: grantUs, unit: "µs" },
    { name: "keep-alive", value: renewUs, unit: "µs" },
    { name: `tick, ${count} leases of ${ttlSeconds} s kept alive`, value: idleMs, unit: "µs" },
    { name: `step down with ${count} leases`, value: demoteMs / 1_000, unit: "ms" },
    { name: `take over ${count} leases`, value: promoteMs / 1_000, unit: "ms" },
    { name: "the longest tick after it", value: longestTickMs, unit: "ms" },
    { name: "end of a lease, with a key", value: expireUs, unit: "µs" },
    { name: "memory of a lease with a key, at the leader", value: memory, unit: "bytes" },
  ];
}
