/**
 * Random writes, compactions, kills and pauses, and watches of every kind that go on through all of it: what they
 * were told is held against what was written (watch-checker.ts).
 */
import { setTimeout as delay } from "node:timers/promises";
import { QuorateClientError } from "../src/client/index.js";
import { Dice } from "../test/sim/dice.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { Chronicle } from "./chronicle.js";
import { ClientWatch } from "./client-watch.js";
import { RawWatches } from "./raw-watches.js";
import { loopback, Victims } from "./victims.js";
import { checkWatches } from "./watch-checker.js";
import { type WatchCounts, type WatchPlan, WatchRecorder } from "./watch-recorder.js";
import { requestBytesMax, smallKeys, WatchedWrites, watchedPrefix } from "./watched-writes.js";

export interface WatchOptions {
  readonly members: 1 | 3;
  readonly rounds: number;
  /** Of raw streams, with one to four watches each, and of watches of our own client; per round. */
  readonly streams: number;
  readonly clientWatches: number;
  /** Faults of a round, one after the other, with so many writes acknowledged between them. */
  readonly faults: number;
  readonly writesBetween: number;
  /** The choices depend on it; what the processes make of them does not. */
  readonly seed: number;
  readonly log: (line: string) => void;
}

export interface WatchReport extends WatchCounts {
  readonly seed: number;
  readonly writes: number;
  readonly unknown: number;
  readonly revision: number;
  readonly compactions: number;
  readonly faults: Readonly<Record<string, number>>;
}

const electionTimeoutMs = 500;
const pauseAloneMs = 300;
const futureMax = 40;
const breachesShown = 10;

export async function runWatch(binary: ServerBinary, options: WatchOptions): Promise<WatchReport> {
  const victims = await Victims.start(binary, {
    count: options.members,
    extraArgs: [
      ...["--election-timeout", String(electionTimeoutMs)],
      ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
      ...["--max-request-bytes", String(requestBytesMax)],
      ...["--watch-progress-notify-interval", "200ms"],
      ...["--snapshot-count", "300", "--snapshot-catchup-entries", "20"],
    ],
    ground: loopback,
  });
  const chronicle = new Chronicle(victims.endpoints, watchedPrefix);
  const writes = new WatchedWrites(victims.endpoints, chronicle, { writers: 6, seed: options.seed });
  const run = new WatchRun(victims, options, { chronicle, writes });
  try {
    for (let round = 1; round <= options.rounds; round++)
      options.log(`round ${round}: ${await run.round(round)}`);
    verifyPuts(chronicle, writes);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return run.report();
  } finally {
    run.stopCompacting();
    await writes.stop();
    await chronicle.stop().finally(() => victims.destroy());
  }
}

/** The history that the watches are held against has what was acknowledged. */
function verifyPuts({ events }: Chronicle, { puts }: WatchedWrites): void {
  const told = new Map(events.map(({ pair }) => [`${pair.key}@${pair.modRevision}`, pair.value]));
  for (const { key, value, revision } of puts) {
    const found = told.get(`${key}@${revision}`);
    if (found !== value) throw new Error(`${key} = ${value} of revision ${revision} was found as ${found}`);
  }
}

class WatchRun {
  private readonly dice: Dice;
  private readonly totals: WatchCounts = {
    asked: 0,
    events: 0,
    fragments: 0,
    progress: 0,
    endedByCompaction: 0,
    resumed: 0,
  };
  private readonly faults: Record<string, number> = {};
  private compactions = 0;
  /** The highest revision to which a compaction was asked for. */
  private compactedBefore = 0;
  private compacting = true;

  constructor(
    private readonly victims: Victims,
    private readonly options: WatchOptions,
    private readonly deps: { readonly chronicle: Chronicle; readonly writes: WatchedWrites },
  ) {
    this.dice = Dice.of(options.seed, "scenario");
  }

  stopCompacting(): void {
    this.compacting = false;
  }

  /** What was seen, in words. Throws with the breaches. */
  async round(round: number): Promise<string> {
    const { options, victims, dice } = this;
    const { chronicle, writes } = this.deps;
    const recorder = new WatchRecorder(() => this.compactedBefore);
    const part = (what: string): { name: string; dice: Dice; recorder: WatchRecorder } => {
      const name = `${round} ${what}`;
      return { name, dice: Dice.of(options.seed, name), recorder };
    };
    let settle = (): void => undefined;
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const someWrites = (): Promise<void> => Promise.race([writes.acknowledge(5), settled]);
    await writes.acknowledge(options.writesBetween);
    const streams: RawWatches[] = [];
    const watches: ClientWatch[] = [];
    let compacting: Promise<void> | undefined;
    try {
      for (let at = 0; at < options.streams; at++) {
        const plans = Array.from({ length: 1 + dice.below(4) }, () => this.plan());
        streams.push(new RawWatches(victims.endpoints, plans, part(`stream ${at}`)));
      }
      for (let at = 0; at < options.clientWatches; at++) {
        // The client filters one kind at most.
        const plan = this.plan();
        const one = { ...plan, noDelete: plan.noDelete && !plan.noPut };
        watches.push(new ClientWatch(victims.endpoints, one, { ...part(`client ${at}`), someWrites }));
      }
      this.compacting = true;
      compacting = this.compact();
      for (let fault = 0; fault < options.faults; fault++) {
        await this.disturb(streams);
        await this.fault();
      }
      await writes.acknowledge(options.writesBetween + futureMax);
      this.compacting = false;
      await compacting;
      settle();
      await writes.pause();
      const revision = await chronicle.complete();
      await Promise.all([...streams, ...watches].map((one) => one.complete(revision)));
    } finally {
      settle();
      this.compacting = false;
      writes.resume();
      for (const stream of streams) stream.close();
      await Promise.all(watches.map((watch) => watch.close()));
      await compacting;
    }
    return this.judge(recorder);
  }

  report(): WatchReport {
    const { writes, chronicle } = this.deps;
    return {
      seed: this.options.seed,
      writes: writes.acknowledged,
      unknown: writes.unknown,
      revision: chronicle.revision,
      compactions: this.compactions,
      faults: this.faults,
      ...this.totals,
    };
  }

  private judge(recorder: WatchRecorder): string {
    const history = { events: this.deps.chronicle.events, compactedRevision: this.compactedBefore };
    const breaches = checkWatches(recorder.watches, history);
    if (breaches.length > 0) {
      const shown = breaches.slice(0, breachesShown).map((breach) => JSON.stringify(breach));
      throw new Error(`${breaches.length} breaches, seed ${this.options.seed}:\n${shown.join("\n")}`);
    }
    for (const name of Object.keys(this.totals) as (keyof WatchCounts)[]) {
      this.totals[name] += recorder.counts[name];
    }
    return `${JSON.stringify(recorder.counts)}, compacted to ${this.compactedBefore} of ${history.events.at(-1)!.pair.modRevision}`;
  }

  private plan(): WatchPlan {
    const { dice } = this;
    const key = dice.pick(smallKeys);
    const [from, rangeEnd] = dice.pick([
      [key, ""],
      [key, smallKeys[smallKeys.indexOf(key) + 7] ?? `${watchedPrefix}:`],
      [watchedPrefix, "watched0"],
      [key, "\0"],
    ] as const);
    return {
      key: from,
      rangeEnd,
      prevKv: dice.chance(0.6),
      noPut: dice.chance(0.12),
      noDelete: dice.chance(0.12),
      startRevision: this.startRevision(),
    };
  }

  /** In the present, the past, the future, or in a past that is gone. */
  private startRevision(): number {
    const { dice, compactedBefore } = this;
    const newest = this.deps.chronicle.revision;
    const chance = dice.random.fraction();
    if (chance < 0.4) return 0;
    if (chance < 0.75) return Math.max(1, compactedBefore) + dice.below(newest - compactedBefore);
    if (chance < 0.85) return newest + 1 + dice.below(futureMax);
    return 1 + dice.below(Math.max(1, compactedBefore));
  }

  /** Compactions up to what the chronicle has read, until the round ends. */
  private async compact(): Promise<void> {
    const { chronicle, writes } = this.deps;
    await using client = this.victims.connect();
    while (this.compacting) {
      await writes.acknowledge(40 + this.dice.below(200)).catch(() => undefined);
      const newest = chronicle.revision;
      if (!this.compacting || newest <= this.compactedBefore) continue;
      const revision = this.dice.chance(0.3)
        ? newest
        : this.compactedBefore + 1 + this.dice.below(newest - this.compactedBefore);
      this.compactedBefore = revision;
      try {
        await client.kv.compact(revision, { timeoutMs: 3_000 });
        this.compactions++;
      } catch (error) {
        if (!(error instanceof QuorateClientError)) throw error;
      }
    }
  }

  /** Readers stop and go on, streams are left. */
  private async disturb(streams: readonly RawWatches[]): Promise<void> {
    const { dice } = this;
    const slow = streams.filter(() => dice.chance(0.2));
    for (const stream of slow) stream.stopReading();
    await this.deps.writes.acknowledge(this.options.writesBetween);
    for (const stream of slow) stream.read();
    const left = dice.pick(streams);
    for (const stream of streams) if (stream === left || dice.chance(0.15)) stream.leave();
  }

  private async fault(): Promise<void> {
    const alone = this.options.members === 1;
    const kind = alone
      ? this.dice.pick(["kill", "pause"] as const)
      : this.dice.pick([
          "kill leader",
          "kill follower",
          "kill all",
          "pause leader",
          "pause follower",
        ] as const);
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    const leader = await this.victims.leader();
    const at = kind.endsWith("follower") ? this.dice.pick(this.victims.others(leader)) : leader;
    if (kind === "kill all") await this.killAll();
    else if (kind.startsWith("kill")) await this.kill(at);
    else await this.pause(at);
  }

  private async killAll(): Promise<void> {
    await this.victims.killAll();
    for (let at = 0; at < this.victims.count; at++) this.victims.restart(at);
    await this.victims.allHealthy();
  }

  private async kill(at: number): Promise<void> {
    await this.victims.kill(at);
    if (this.options.members > 1) await this.deps.writes.acknowledge(this.options.writesBetween);
    this.victims.restart(at);
    await this.victims.healthy(at);
  }

  private async pause(at: number): Promise<void> {
    this.victims.signal(at, "SIGSTOP");
    try {
      if (this.options.members === 1) await delay(pauseAloneMs);
      else await this.deps.writes.acknowledge(this.options.writesBetween);
    } finally {
      this.victims.signal(at, "SIGCONT");
    }
    await this.victims.healthy(at);
  }
}
