/** Writers that do everything that makes events: puts, deletes, ranges of both, in transactions and without, small and large. */
import { connect, del, put, type QuorateClient, QuorateClientError } from "../src/client/index.js";
import { Dice } from "../test/sim/dice.js";
import type { Chronicle } from "./chronicle.js";
import { patienceMs, within } from "./within.js";

export const watchedPrefix = "watched/";
export const smallKeys: readonly string[] = Array.from(
  { length: 24 },
  (_, at) => `${watchedPrefix}${String(at).padStart(2, "0")}`,
);
/** Together larger than one answer may be (`requestBytesMax` below), so that the end of all makes fragments. */
const largeKeys: readonly string[] = Array.from(
  { length: 14 },
  (_, at) => `${watchedPrefix}large/${at}`,
).sort();
const largeValueBytes = 55_000;
/** For --max-request-bytes: two large values fit. An answer is fragmented above this and 512 KiB. */
export const requestBytesMax = 128 * 1024;

const callTimeoutMs = 1_500;
/** So that reading the history keeps up with writing it. */
const chronicleLagMax = 300;

/** An acknowledged put of one key. */
interface AcknowledgedPut {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

export class WatchedWrites {
  readonly puts: AcknowledgedPut[] = [];
  acknowledged = 0;
  unknown = 0;
  private stopped = false;
  /** While set, no write begins: until `resume`, or until the chronicle has come near. */
  private gate: { readonly open: Promise<void>; readonly release: () => void } | undefined;
  private brake: Promise<void> | undefined;
  private resting = 0;
  private onAllResting: () => void = () => undefined;
  private waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  private readonly clients: readonly QuorateClient[];
  private readonly loops: readonly Promise<void>[];
  /** Rejects when a writer fails for another reason than a fault of the cluster. */
  private readonly broken: Promise<never>;

  constructor(
    endpoints: readonly string[],
    private readonly chronicle: Chronicle,
    options: { readonly writers: number; readonly seed: number },
  ) {
    this.clients = Array.from({ length: options.writers }, (_, at) =>
      connect({ endpoints: [endpoints[at % endpoints.length]!], timeouts: { callMs: callTimeoutMs } }),
    );
    this.loops = this.clients.map((client, at) =>
      this.run(client, at, Dice.of(options.seed, `writer ${at}`)),
    );
    this.broken = new Promise((_, reject) => {
      for (const loop of this.loops) loop.catch(reject);
    });
    // Whoever waits sees the failure.
    this.broken.catch(() => undefined);
  }

  /** Resolves when `more` further writes were acknowledged. */
  acknowledge(more: number): Promise<void> {
    const count = this.acknowledged + more;
    const done = new Promise<void>((resolve) => this.waiters.push({ count, resolve }));
    return within(patienceMs(more), `${more} writes acknowledged`, Promise.race([done, this.broken]));
  }

  /** Resolves when no write is under way; none begins before `resume`. */
  async pause(): Promise<void> {
    let release = (): void => undefined;
    const open = new Promise<void>((resolve) => {
      release = resolve;
    });
    const quiet = new Promise<void>((resolve) => {
      this.onAllResting = resolve;
    });
    this.gate = { open, release };
    await within(patienceMs(0), "all writers at rest", Promise.race([quiet, this.broken]));
  }

  resume(): void {
    this.gate?.release();
    this.gate = undefined;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.resume();
    // Who still waits has nothing to wait for.
    for (const waiter of this.waiters) waiter.resolve();
    // `broken` has told of those that failed.
    await Promise.allSettled(this.loops);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private async run(client: QuorateClient, who: number, dice: Dice): Promise<void> {
    for (let count = 0; !this.stopped; count++) {
      if (this.gate !== undefined) await this.rest(this.gate.open);
      if (this.brake !== undefined) await this.brake;
      if (this.gate !== undefined || this.stopped) continue;
      try {
        for (const act of this.choose(dice, `${who}-${count}`)) this.note(await act(client));
      } catch (error) {
        if (!(error instanceof QuorateClientError)) throw error;
        this.unknown++;
      }
    }
  }

  private async rest(open: Promise<void>): Promise<void> {
    if (++this.resting === this.clients.length) this.onAllResting();
    await open;
    this.resting--;
  }

  /** One write, or several that belong together. */
  private *choose(dice: Dice, value: string): Generator<(client: QuorateClient) => Promise<bigint>> {
    const key = dice.pick(smallKeys);
    const chance = dice.random.fraction();
    if (chance < 0.5) {
      yield async (client) => {
        const revision = (await client.kv.put(key, value)).header!.revision;
        this.puts.push({ key, value, revision: Number(revision) });
        return revision;
      };
    } else if (chance < 0.68) {
      yield async (client) => (await client.kv.delete(key)).header!.revision;
    } else if (chance < 0.76) {
      const rangeEnd = smallKeys[smallKeys.indexOf(key) + 4] ?? `${watchedPrefix}:`;
      yield async (client) => (await client.kv.delete(key, { rangeEnd })).header!.revision;
    } else if (chance < 0.994) {
      // In the order of the keys: so the history can tell the order of the writes.
      const operations = smallKeys
        .filter(() => dice.chance(0.2))
        .map((of) => (dice.chance(0.3) ? del(of) : put(of, value)));
      if (operations.length === 0) return;
      yield async (client) =>
        (
          await client
            .txn()
            .then(...operations)
            .commit()
        ).header!.revision;
    } else {
      yield* writeLarge(value);
    }
  }

  private note(revision: bigint): void {
    this.acknowledged++;
    this.slowDown(Number(revision));
    const due = this.waiters.filter((waiter) => waiter.count <= this.acknowledged);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }

  private slowDown(revision: number): void {
    if (this.brake !== undefined || revision - this.chronicle.revision < chronicleLagMax) return;
    this.brake = this.chronicle.reached(revision - chronicleLagMax / 2).finally(() => {
      this.brake = undefined;
    });
    this.brake.catch(() => undefined);
  }
}

function* writeLarge(value: string): Generator<(client: QuorateClient) => Promise<bigint>> {
  const text = `${value} `.padEnd(largeValueBytes, "x");
  for (let at = 0; at < largeKeys.length; at += 2) {
    const pair = largeKeys.slice(at, at + 2).map((key) => put(key, text));
    yield async (client) =>
      (
        await client
          .txn()
          .then(...pair)
          .commit()
      ).header!.revision;
  }
  const [key] = largeKeys;
  yield async (client) =>
    (await client.kv.delete(key!, { rangeEnd: `${watchedPrefix}large0` })).header!.revision;
}
