/**
 * Crowds of watches at one process while puts go on: ten thousand on one stream, a thousand streams, ten thousand of
 * one key; and clients that do not read: they cost bounded memory, and nobody else any time.
 */
import { readFile } from "node:fs/promises";
import { connect, type QuorateClient } from "../src/client/index.js";
import { WatchRequest, WatchResponse } from "../src/gen/etcdserver.js";
import { connectGrpc, type GrpcChannel } from "../src/transport/http2/client.js";
import { RawClient } from "../test/api/watch-session.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { loopback, Victims } from "./victims.js";
import { patienceMs, within } from "./within.js";

export interface WatchCrowdOptions {
  /** Of one stream, and of one key. */
  readonly watches: number;
  readonly streams: number;
  /** To random keys of the one stream's; to the key of the streams and to the one key: a fortieth of it. */
  readonly puts: number;
  readonly sleepers: number;
  /** Written while they sleep, after as much was written without them. */
  readonly sleptBytes: number;
  readonly growthMibMax: number;
  readonly log: (line: string) => void;
}

export interface WatchCrowdReport {
  readonly oneStream: Crowd;
  readonly manyStreams: Crowd;
  readonly oneKey: Crowd;
  readonly sleepers: {
    readonly count: number;
    /** Of the process when as much was written without sleepers, and what it grew by with them. */
    readonly residentMib: number;
    readonly growthMib: number;
    /** From the begin of a put until the reader beside was told. */
    readonly withoutMs: Spread;
    readonly withMs: Spread;
  };
}

export interface Crowd {
  readonly watches: number;
  readonly events: number;
  readonly residentMib: number;
  /** From the begin of a put until the last watch was told. */
  readonly toldMs: Spread;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

const putters = 8;
const channels = 10;
const sleptValueBytes = 32 * 1024;
const sleptKeys = 50;
/** What other work on the machine may add to the half of all puts. */
const delayMsMax = 20;
const watchMethod = "/etcdserverpb.Watch/Watch";

export async function runWatchCrowd(
  binary: ServerBinary,
  options: WatchCrowdOptions,
): Promise<WatchCrowdReport> {
  const victims = await Victims.start(binary, { count: 1, extraArgs: [], ground: loopback });
  const client = connect({ endpoints: victims.endpoints });
  const { log, watches, streams, puts } = options;
  const resident = (): Promise<number> => residentMib(victims.process(0).pid);
  const few = Math.ceil(puts / 40);
  const crowd = async (what: string, plan: CrowdPlan): Promise<Crowd> => {
    const seen = await tellCrowd({ endpoint: victims.endpoint(0), client, resident }, plan);
    log(`${what}: ${JSON.stringify(seen)}`);
    return seen;
  };
  try {
    const manyKeys = Array.from({ length: watches }, (_, at) => `crowd/${at}`);
    const oneStream = await crowd("one stream", { streams: [manyKeys], puts });
    const apart = Array.from({ length: streams }, () => ["streams"]);
    const manyStreams = await crowd("many streams", { streams: apart, puts: few });
    const together = Array.from({ length: channels }, () => Array(watches / channels).fill("one"));
    const oneKey = await crowd("one key", { streams: together, puts: few });
    const sleepers = await runSleepers({ endpoint: victims.endpoint(0), client, resident }, options);
    log(`sleepers: ${JSON.stringify(sleepers)}`);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return { oneStream, manyStreams, oneKey, sleepers };
  } finally {
    await client.close();
    await victims.destroy();
  }
}

interface Target {
  readonly endpoint: string;
  readonly client: QuorateClient;
  readonly resident: () => Promise<number>;
}

interface CrowdPlan {
  /** The keys that each stream watches, one watch each. */
  readonly streams: readonly (readonly string[])[];
  /** To keys of the plan by chance, from several clients at once. */
  readonly puts: number;
}

async function tellCrowd(target: Target, { streams, puts }: CrowdPlan): Promise<Crowd> {
  const opened: GrpcChannel[] = [];
  const { client, endpoint, resident } = target;
  try {
    for (let at = 0; at < Math.min(channels, streams.length); at++) opened.push(await dial(endpoint));
    const told = new Told();
    await Promise.all(streams.map((keys, at) => watchAll(opened[at % opened.length]!, keys, told)));
    const watchersOf = new Map<string, number>();
    for (const key of streams.flat()) watchersOf.set(key, (watchersOf.get(key) ?? 0) + 1);
    const keys = [...watchersOf.keys()];
    const tookMs: number[] = [];
    let left = puts;
    const share = async (): Promise<void> => {
      while (left-- > 0) {
        const key = keys[Math.floor(Math.random() * keys.length)]!;
        const startedMs = performance.now();
        const { header } = await client.kv.put(key, "v");
        const lastMs = await told.all(Number(header!.revision), watchersOf.get(key)!);
        tookMs.push(lastMs - startedMs);
      }
    };
    await Promise.all(Array.from({ length: putters }, share));
    told.check();
    return {
      watches: streams.flat().length,
      events: told.events,
      residentMib: await resident(),
      toldMs: spread(tookMs),
    };
  } finally {
    for (const channel of opened) channel.close();
  }
}

/** Which events came, however many watches share them. */
class Told {
  events = 0;
  private wrong: string | undefined;
  private readonly counts = new Map<number, { count: number; lastMs: number }>();
  private readonly waiters = new Map<number, { readonly count: number; readonly resolve: () => void }>();

  note(revision: number): void {
    this.events++;
    const seen = this.counts.get(revision) ?? { count: 0, lastMs: 0 };
    seen.count++;
    seen.lastMs = performance.now();
    this.counts.set(revision, seen);
    const waiter = this.waiters.get(revision);
    if (waiter !== undefined && seen.count >= waiter.count) waiter.resolve();
  }

  complain(what: string): void {
    this.wrong ??= what;
  }

  /** When `count` watches were told of the revision. */
  async all(revision: number, count: number): Promise<number> {
    const seen = (): { count: number; lastMs: number } | undefined => this.counts.get(revision);
    if ((seen()?.count ?? 0) < count) {
      const done = new Promise<void>((resolve) => this.waiters.set(revision, { count, resolve }));
      await within(patienceMs(0), `${count} watches told of revision ${revision}`, done);
    }
    const { count: times, lastMs } = seen()!;
    if (times > count) this.complain(`revision ${revision} was told ${times} times to ${count} watches`);
    return lastMs;
  }

  check(): void {
    if (this.wrong !== undefined) throw new Error(this.wrong);
  }
}

/** Resolves when each watch was taken. Every event is noted; one out of order, or of another's key, is a complaint. */
function watchAll(channel: GrpcChannel, keys: readonly string[], told: Told): Promise<void> {
  return new Promise((resolve, reject) => {
    let created = 0;
    let sent = 0;
    const last = new Array<number>(keys.length).fill(0);
    const send = (): void => {
      while (sent < keys.length) {
        const value = { ...emptyCreate, key: Buffer.from(keys[sent++]!) };
        const bytes = WatchRequest.encode({ requestUnion: { $case: "createRequest", value } }).finish();
        if (!stream.write(bytes)) return;
      }
    };
    const stream = channel.openStream(
      watchMethod,
      {},
      {
        onMessage: (bytes) => {
          const answer = WatchResponse.decode(bytes);
          if (answer.created) {
            if (++created === keys.length) resolve();
            return;
          }
          const id = Number(answer.watchId);
          for (const { kv } of answer.events) {
            const revision = Number(kv!.modRevision);
            if (Buffer.from(kv!.key).toString() !== keys[id])
              told.complain(`watch ${id} was told of another key`);
            if (revision <= last[id]!) told.complain(`watch ${id} was told of ${revision} after ${last[id]}`);
            last[id] = revision;
            told.note(revision);
          }
        },
        onDrain: send,
        onEnd: (status) => reject(new Error(`the stream ended: ${status.message}`)),
      },
    );
    send();
  });
}

const emptyCreate = {
  rangeEnd: new Uint8Array(0),
  startRevision: 0n,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0n,
  fragment: false,
};

async function runSleepers(
  { endpoint, client, resident }: Target,
  options: WatchCrowdOptions,
): Promise<WatchCrowdReport["sleepers"]> {
  const range = { rangeEnd: "big0" };
  const clients = Array.from({ length: options.sleepers }, () => new RawClient(endpoint));
  const reader = await dial(endpoint);
  try {
    const puts = Math.ceil(options.sleptBytes / sleptValueBytes);
    const keys = Array.from({ length: sleptKeys }, (_, at) => `big/${at}`);
    const told = new Told();
    await watchAll(reader, keys, told);
    const without = await putBig(client, { keys, puts, told });
    const before = await resident();
    const sessions = clients.map((each) => each.watch());
    for (const session of sessions) {
      session.create("big/", range);
      await session.take();
      session.stopReading();
    }
    const first = await client.kv.get("big/0");
    const withThem = await putBig(client, { keys, puts, told });
    told.check();
    const growthMib = (await resident()) - before;
    // One of them reads at last: nothing was lost for it.
    const [late] = sessions;
    late!.read();
    await wholeHistory(late!, Number(first.header!.revision), puts);
    for (const session of sessions) session.close();
    if (growthMib > options.growthMibMax)
      throw new Error(`${growthMib} MiB for ${options.sleepers} sleepers`);
    const [withoutMs, withMs] = [spread(without), spread(withThem)];
    if (withMs.p50 > 5 * withoutMs.p50 + delayMsMax) {
      throw new Error(`beside sleepers a put is told after ${withMs.p50} ms, else after ${withoutMs.p50} ms`);
    }
    return { count: options.sleepers, residentMib: before, growthMib, withoutMs, withMs };
  } finally {
    for (const each of clients) each.close();
    reader.close();
  }
}

/** One after the other; how long each took until the reader was told. */
async function putBig(
  client: QuorateClient,
  { keys, puts, told }: { readonly keys: readonly string[]; readonly puts: number; readonly told: Told },
): Promise<readonly number[]> {
  const value = "x".repeat(sleptValueBytes);
  const tookMs: number[] = [];
  for (let at = 0; at < puts; at++) {
    const startedMs = performance.now();
    const { header } = await client.kv.put(keys[at % keys.length]!, value);
    tookMs.push((await told.all(Number(header!.revision), 1)) - startedMs);
  }
  return tookMs;
}

async function wholeHistory(
  session: ReturnType<RawClient["watch"]>,
  before: number,
  count: number,
): Promise<void> {
  let revision = before;
  while (revision < before + count) {
    for (const { kv } of (await session.take()).events) {
      if (Number(kv!.modRevision) !== ++revision) throw new Error(`${kv!.modRevision} came for ${revision}`);
    }
  }
}

function dial(endpoint: string): Promise<GrpcChannel> {
  const [host, port] = endpoint.split(":");
  return connectGrpc({
    host: host!,
    port: Number(port),
    tls: undefined,
    receiveBytesMax: 1 << 26,
    connectTimeoutMs: 5_000,
    keepaliveIntervalMs: 60_000,
    keepaliveTimeoutMs: 60_000,
  });
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024);
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(10 * sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!) / 10;
  return { p50: at(0.5), p99: at(0.99) };
}
