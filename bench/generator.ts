/** The load generator: a Go program, compiled once for each version of its sources. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { runToEnd, TestProcess } from "../test/support/child-process.js";
import { repositoryRoot } from "../test/support/server-binary.js";
import type { LoadClient } from "./options.js";
import type { LatencyBucket } from "./statistics.js";

const sourceDirectory = join(repositoryRoot, "bench/load");
const cacheDirectory = join(repositoryRoot, "node_modules/.cache/quorate");
const buildTimeoutMs = 280_000;
/** The generator's own watchdog comes first; this is for one that hangs. */
const graceMs = 60_000;

export async function buildGenerator(): Promise<string> {
  const hash = createHash("sha256").update(process.arch);
  for (const name of readdirSync(sourceDirectory).sort()) {
    hash.update(`\0${name}\0`).update(readFileSync(join(sourceDirectory, name)));
  }
  const binary = join(cacheDirectory, `bench-load-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  await mkdir(cacheDirectory, { recursive: true });
  const built = await runToEnd("go", ["build", "-o", `${binary}.new`, "."], {
    ...{ cwd: sourceDirectory, env: { CGO_ENABLED: "0" }, input: undefined, timeoutMs: buildTimeoutMs },
  });
  if (built.code !== 0) throw new Error(`the load generator was not built:\n${built.stderr}`);
  await rename(`${binary}.new`, binary);
  return binary;
}

export interface Load {
  readonly client: LoadClient;
  readonly workload: string;
  readonly clients: number;
  readonly connections: number;
  /** 0: until the time is over. */
  readonly requests: number;
  readonly durationMs: number;
  readonly keys: number;
  readonly from: number;
  readonly valueBytes: number;
  readonly limit: number;
  readonly backgroundPuts: number;
  /** Of watches, shared by the connections. */
  readonly streams: number;
  /** Of each stream. */
  readonly watches: number;
  /** Puts a second, where they come steadily. */
  readonly rate: number;
}

export interface LoadSummary {
  readonly requests: number;
  readonly seconds: number;
  readonly responseBytes: number;
  readonly cpuSeconds: number;
  /** In tenths of a microsecond. */
  readonly latencyBuckets: readonly LatencyBucket[];
}

let runCounter = 0;

function argsOf(endpoints: readonly string[], load: Load): readonly string[] {
  return [
    ...["-endpoints", endpoints.join(","), "-client", load.client, "-workload", load.workload],
    ...["-clients", String(load.clients), "-connections", String(load.connections)],
    ...["-requests", String(load.requests), "-duration", `${load.durationMs}ms`],
    ...["-keys", String(load.keys), "-from", String(load.from), "-value-bytes", String(load.valueBytes)],
    ...["-limit", String(load.limit), "-background-puts", String(load.backgroundPuts)],
    ...["-streams", String(load.streams), "-watches", String(load.watches), "-rate", String(load.rate)],
    ...["-run", `${process.pid}-${runCounter++}`],
  ];
}

/**
 * Calls `started` when all connections and streams are there and the clock starts.
 * Throws when a request failed: a figure from failures would be worth nothing.
 */
export async function runLoad(
  binary: string,
  endpoints: readonly string[],
  load: Load,
  started: () => void = () => {},
): Promise<LoadSummary> {
  const args = argsOf(endpoints, load);
  const run = new TestProcess(binary, args, { cwd: undefined, env: {}, input: undefined });
  const timer = setTimeout(() => run.signal("SIGKILL"), 2 * load.durationMs + graceMs);
  // One that fails before is told of below.
  run.stdout.waitFor("the start", (line) => line === "started").then(started, () => {});
  const { code } = await run.exited;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`the load generator failed (${args.join(" ")}):\n${run.stderr.text}`);
  const last = run.stdout.text.trimEnd().split("\n").at(-1)!;
  const summary = JSON.parse(last) as LoadSummary & { errors: number; firstError: string };
  if (summary.errors > 0)
    throw new Error(`${summary.errors} of ${summary.requests} requests failed: ${summary.firstError}`);
  if (summary.requests === 0) throw new Error(`no request was answered in time (${args.join(" ")})`);
  return summary;
}

const holdTimeoutMs = 60_000;
const stopGraceMs = 5_000;

/** Resolves when the server holds what the load asks for; it does until `stop`. */
export async function startHolding(
  binary: string,
  endpoints: readonly string[],
  load: Load,
): Promise<{ stop(): Promise<void> }> {
  const args = argsOf(endpoints, load);
  const started = new TestProcess(binary, args, { cwd: undefined, env: {}, input: undefined });
  const timer = setTimeout(() => started.signal("SIGKILL"), holdTimeoutMs);
  try {
    await started.stdout.waitFor("ready", (line) => line === "ready");
  } catch (error) {
    throw new Error(`the load generator failed (${args.join(" ")}):\n${started.stderr.text}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
  return {
    stop: async () => {
      await started.stop(stopGraceMs);
    },
  };
}

export interface Probe {
  /** Milliseconds since the epoch at which the first linearizable read was answered. */
  readonly answeredAt: Promise<number>;
}

/** Starts to ask for a first read; resolves when it does. The server may be started after that. */
export async function startProbe(binary: string, endpoint: string, timeoutMs: number): Promise<Probe> {
  const args = ["-workload", "probe", "-endpoints", endpoint, "-duration", `${timeoutMs}ms`];
  const started = new TestProcess(binary, args, { cwd: undefined, env: {}, input: undefined });
  await started.stdout.waitFor("ready", (line) => line === "ready");
  const answered = started.stdout.waitFor("an answer", (line) => line.startsWith("{"));
  return {
    answeredAt: answered.then(
      (line) => (JSON.parse(line) as { answeredAtMs: number }).answeredAtMs,
      () => {
        throw new Error(started.stderr.text);
      },
    ),
  };
}
