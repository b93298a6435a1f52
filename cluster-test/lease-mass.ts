/** A hundred thousand leases that end within one second: they are gone within seconds, and puts go on meanwhile. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../src/client/index.js";
import { RawClient } from "../test/api/raw-client.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { loopback, Victims } from "./victims.js";

export interface LeaseMassOptions {
  readonly members: 1 | 3;
  readonly leases: number;
  /** From the first grant to the second in which all end: more than granting takes. */
  readonly lifeSeconds: number;
  /** All must be over so many ms after the last one's time. */
  readonly goneMsMax: number;
  readonly putters: number;
  readonly log: (line: string) => void;
}

export interface LeaseMassReport {
  readonly leases: number;
  readonly keys: number;
  /** From the end of the last lease's time until the last one was revoked. */
  readonly goneMs: number;
  /** Of a processor, from the first end to the last, puts included: says more where the machine does other work. */
  readonly leaderCpuMs: number;
  readonly putsBefore: Latencies;
  readonly putsMeanwhile: Latencies;
}

export interface Latencies {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const grantsAtOnce = 1_000;
/** Every so many leases have a key. */
const leasesPerKey = 10;
const metricPollMs = 50;
const prefix = "mass/";
const revokedMetric = /^etcd_debugging_lease_revoked_total (\S+)$/m;

interface Put {
  readonly endedMs: number;
  readonly tookMs: number;
}

export async function runLeaseMass(
  binary: ServerBinary,
  options: LeaseMassOptions,
): Promise<LeaseMassReport> {
  const victims = await Victims.start(binary, { count: options.members, extraArgs: [], ground: loopback });
  const client = victims.connect();
  let over = false;
  const puts: Put[] = [];
  let putters: Promise<void> | undefined;
  try {
    const leader = await victims.leader();
    const endMs = performance.now() + options.lifeSeconds * 1_000;
    const keys = await grantAll(victims.endpoint(leader), options, endMs);
    const grantedMs = performance.now();
    if (grantedMs > endMs - 5_000) throw new Error("granting took too long: give the leases a longer life");
    options.log(`granted ${options.leases}, ${((endMs - grantedMs) / 1_000).toFixed(1)} s before they end`);
    const shares = Array.from({ length: options.putters }, (_, at) =>
      put(victims.endpoints, at, puts, () => over),
    );
    putters = Promise.all(shares).then(() => undefined);
    putters.catch(() => undefined);
    const metrics = `http://${victims.endpoint(leader)}/metrics`;
    const { pid } = victims.process(leader);
    await delay(Math.max(0, endMs - performance.now()));
    const cpuBeforeMs = await cpuMs(pid);
    const goneAtMs = await allRevoked(metrics, options.leases, endMs + 1_000 + options.goneMsMax);
    const leaderCpuMs = (await cpuMs(pid)) - cpuBeforeMs;
    over = true;
    await putters;
    const { leases } = await client.leases.list();
    const { count } = await client.kv.get(prefix, { prefix: true, countOnly: true });
    if (leases.length > 0 || count > 0n)
      throw new Error(`${leases.length} leases and ${count} keys are left`);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    const report = {
      leases: options.leases,
      keys,
      goneMs: Math.round(goneAtMs - (endMs + 1_000)),
      leaderCpuMs,
      putsBefore: latencies(puts.filter(({ endedMs }) => endedMs < endMs)),
      putsMeanwhile: latencies(puts.filter(({ endedMs }) => endedMs >= endMs)),
    };
    options.log(`${options.members} members: ${JSON.stringify(report)}`);
    return report;
  } finally {
    over = true;
    await putters?.catch(() => undefined);
    await client.close();
    await victims.destroy();
  }
}

/** All end in the second that begins at `endMs`. Gives the number of keys attached. */
async function grantAll(endpoint: string, options: LeaseMassOptions, endMs: number): Promise<number> {
  const client = await RawClient.connect(endpoint);
  let next = 1;
  let keys = 0;
  const share = async (): Promise<void> => {
    while (next <= options.leases) {
      const id = BigInt(next++);
      await client.grant(id, Math.ceil((endMs - performance.now()) / 1_000));
      if (Number(id) % leasesPerKey !== 0) continue;
      await client.put(`${prefix}${id}`, id);
      keys++;
    }
  };
  try {
    await Promise.all(Array.from({ length: grantsAtOnce }, share));
  } finally {
    client.close();
  }
  return keys;
}

async function put(
  endpoints: readonly string[],
  at: number,
  puts: Put[],
  isOver: () => boolean,
): Promise<void> {
  await using client = connect({ endpoints: [endpoints[at % endpoints.length]!] });
  while (!isOver()) {
    const startedMs = performance.now();
    await client.kv.put(`put/${at}`, "v".repeat(100));
    const endedMs = performance.now();
    puts.push({ endedMs, tookMs: endedMs - startedMs });
  }
}

/** When the member's own count of ended leases says so. */
async function allRevoked(metrics: string, leases: number, untilMs: number): Promise<number> {
  for (;;) {
    const text = await (await fetch(metrics)).text();
    const revoked = Number(revokedMetric.exec(text)?.[1]);
    const nowMs = performance.now();
    if (revoked >= leases) return nowMs;
    if (nowMs > untilMs) throw new Error(`${revoked} of ${leases} leases are over, the others are late`);
    await delay(metricPollMs);
  }
}

function latencies(puts: readonly Put[]): Latencies {
  const sorted = puts.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error("no put was answered");
  const at = (part: number): number =>
    Math.round(10 * sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!) / 10;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** Of user and system, at 100 ticks a second as Linux counts for everybody. */
async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1");
  const [utime, stime] = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return 10 * (Number(utime) + Number(stime));
}
