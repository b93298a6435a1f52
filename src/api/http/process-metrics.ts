/** What the operating system knows of this process. Linux tells by files; elsewhere some stay at zero. */
import { readdirSync, readFileSync } from "node:fs";
import type { MetricRegistry } from "../../base/metrics.js";

const startSeconds = Math.round(performance.timeOrigin) / 1_000;

/** Brings the process's metrics up to date, for a scrape. */
export function refreshProcessMetrics(registry: MetricRegistry): void {
  const { user, system } = process.cpuUsage();
  registry.counter("process_cpu_seconds_total").value = (user + system) / 1e6;
  registry.gauge("process_start_time_seconds").set(startSeconds);
  registry.gauge("process_resident_memory_bytes").set(process.memoryUsage.rss());
  registry.gauge("process_virtual_memory_bytes").set(virtualMemoryBytes());
  const openFiles = openFileCount();
  const openFilesMax = openFileLimit();
  registry.gauge("process_open_fds").set(openFiles);
  registry.gauge("process_max_fds").set(openFilesMax);
  registry.gauge("os_fd_used").set(openFiles);
  registry.gauge("os_fd_limit").set(openFilesMax);
}

function openFileCount(): number {
  try {
    // One of them is the directory that is being read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}

function openFileLimit(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readProcFile("/proc/self/limits"))?.[1] ?? 0);
}

function virtualMemoryBytes(): number {
  return 1_024 * Number(/^VmSize:\s+(\d+) kB/m.exec(readProcFile("/proc/self/status"))?.[1] ?? 0);
}

function readProcFile(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
