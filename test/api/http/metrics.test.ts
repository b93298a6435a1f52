import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../src/base/assert.js";
import { metricCatalogue } from "../../../src/base/metric-catalogue.js";
import { MetricRegistry } from "../../../src/base/metrics.js";

function linesOf(registry: MetricRegistry, start: string): readonly string[] {
  return registry
    .text()
    .split("\n")
    .filter((line) => line.startsWith(start));
}

describe("dashboards of etcd find their metrics", () => {
  test("every metric is fed somewhere, or says why it never is", () => {
    const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".ts") && !file.endsWith("metric-catalogue.ts"),
    );
    const text = sources.map((file) => readFileSync(`src/${file}`, "utf8")).join("\n");
    const unfed = Object.entries(metricCatalogue).filter(([name]) => !text.includes(`"${name}"`));
    const silent = unfed.filter(([, { help }]) => !/^Always (zero|empty): /.test(help));
    expect(silent).toEqual([]);
    const fed = Object.entries(metricCatalogue).filter((entry) => !unfed.includes(entry as never));
    expect(fed.length).toBeGreaterThan(60);
  });

  test("every metric without labels is there from the start, with help and kind", () => {
    const text = new MetricRegistry().text();
    for (const [name, spec] of Object.entries(metricCatalogue)) {
      if (spec.labels.length > 0) continue;
      expect(text).toContain(`# TYPE ${name} ${spec.kind}\n`);
      expect(text).toMatch(new RegExp(`^${name}(_count)? 0$`, "m"));
    }
  });

  test("a histogram has cumulative buckets with etcd's bounds", () => {
    const registry = new MetricRegistry();
    const fsync = registry.histogram("etcd_disk_wal_fsync_duration_seconds");
    for (const seconds of [0.001, 0.0015, 0.3, 100]) fsync.observe(seconds);
    const lines = linesOf(registry, "etcd_disk_wal_fsync_duration_seconds");
    expect(lines[0]).toBe('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1');
    expect(lines[1]).toBe('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 2');
    expect(lines[8]).toBe('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.256"} 2');
    expect(lines[9]).toBe('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.512"} 3');
    expect(lines.slice(13)).toEqual([
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="8.192"} 3',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 4',
      `etcd_disk_wal_fsync_duration_seconds_sum ${0.001 + 0.0015 + 0.3 + 100}`,
      "etcd_disk_wal_fsync_duration_seconds_count 4",
    ]);
  });

  test("bounds are the decimal numbers that Prometheus compares, not their binary shadows", () => {
    const registry = new MetricRegistry();
    const bounds = (name: Parameters<MetricRegistry["histogram"]>[0]): readonly number[] =>
      registry.histogram(name).bounds;
    expect(bounds("etcd_disk_backend_defrag_duration_seconds")).toEqual([
      0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
    ]);
    expect(bounds("etcd_debugging_lease_ttl_total").at(-1)).toBe(8_388_608);
  });

  test("series by labels: one each, sorted, escaped", () => {
    const registry = new MetricRegistry();
    const labels = ["unary", "etcdserverpb.KV", "Put", "OK"] as const;
    registry.counter("grpc_server_handled_total", ...labels).add();
    registry.counter("grpc_server_handled_total", ...labels).add(2);
    registry.gauge("etcd_server_go_version", 'a"b\\c\nd').set(1);
    expect(linesOf(registry, "grpc_server_handled_total")).toEqual([
      'grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 3',
    ]);
    expect(linesOf(registry, "etcd_server_go_version")).toEqual([
      'etcd_server_go_version{server_go_version="a\\"b\\\\c\\nd"} 1',
    ]);
    expect(() => registry.counter("grpc_server_handled_total", "unary")).toThrow(AssertionError);
  });

  test("a gauge can follow a value, and labelled ones can be forgotten", () => {
    const registry = new MetricRegistry();
    let pending = 1;
    registry.gauge("etcd_server_proposals_pending").follow(() => pending);
    pending = 5;
    expect(linesOf(registry, "etcd_server_proposals_pending")).toEqual(["etcd_server_proposals_pending 5"]);
    registry.gauge("etcd_network_known_peers", "a", "b").set(1);
    registry.forget("etcd_network_known_peers");
    expect(registry.text()).not.toContain("etcd_network_known_peers");
  });
});
