/**
 * Leases that are granted, kept alive, revoked and left alone at random, while leaders are killed and stand still:
 * none ends before its time, each ends not long after it, and its keys go with it in one revision.
 *
 * Times are taken on one clock: a lease lives at least its time to live from when the last request that was answered
 * was *sent*, and is over at the latest its time after the last request that was sent at all, answered or not. Its
 * end is when the first of several watches, one at each member, tells of it.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  connect,
  GrpcCode,
  isClientError,
  type QuorateClient,
  QuorateClientError,
} from "../src/client/index.js";
import { Dice } from "../test/sim/dice.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { loopback, Victims } from "./victims.js";
import { patienceMs, within } from "./within.js";

export interface LeaseOptions {
  /** Faults, one after the other. */
  readonly rounds: number;
  /** Leases alive at any time. */
  readonly holders: number;
  /** Ends of leases between one fault and the next. */
  readonly endsBetween: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

export interface LeaseReport {
  readonly seed: number;
  readonly granted: number;
  readonly renewals: number;
  readonly expired: number;
  readonly revoked: number;
  /** Renewals that were refused as the lease was over. */
  readonly refused: number;
  /** How long after its time a lease was over, ms: of those whose whole life was undisturbed, and of the others. */
  readonly calmLateMs: Lateness;
  readonly disturbedLateMs: Lateness;
  readonly faults: Readonly<Record<string, number>>;
}

export interface Lateness {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const electionTimeoutMs = 500;
const prefix = "leased/";
/** The least that is granted: 1.5 election timeouts, in whole seconds. */
const ttlSecondsMin = 1;
const callTimeoutMs = 1_500;
/** How late a lease may be over, on a machine that does other work: a tick, a quorum, an entry, and patience. */
const lateMsMax = 10_000;
/** Clocks of several processes on one machine are one, but timers round. */
const toleranceMs = 5;
const pausedEndsMin = 3;

export async function runLeases(binary: ServerBinary, options: LeaseOptions): Promise<LeaseReport> {
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: [
      ...["--election-timeout", String(electionTimeoutMs)],
      ...["--heartbeat-interval", String(electionTimeoutMs / 10)],
      ...["--snapshot-count", "1000"],
    ],
    ground: loopback,
  });
  const run = new LeaseRun(victims, options);
  try {
    return await run.run();
  } finally {
    await run.stop();
    await victims.destroy();
  }
}

/** One lease and what is known of it. */
interface Life {
  readonly id: bigint;
  readonly ttlMs: number;
  /** Known to be attached, and known to be deleted: an end may be told before a put is. */
  readonly keys: Set<string>;
  readonly gone: Set<string>;
  /** When the last answered, and the last of all requests for it was sent. */
  answeredMs: number;
  sentMs: number;
  readonly grantedMs: number;
  /** An attempt to revoke it was made. */
  revoking: boolean;
  endedMs: number | undefined;
  endRevision: bigint | undefined;
  /** Called when the last of its keys is gone. */
  onGone: () => void;
}

class LeaseRun {
  private readonly dice: Dice;
  private readonly clients: readonly QuorateClient[];
  private readonly lives = new Map<string, Life>();
  private readonly calmLateMs: number[] = [];
  private readonly disturbedLateMs: number[] = [];
  /** When the last fault was over, as far as the members are up; Infinity while there is one. */
  private faultEndedMs = 0;
  private readonly faults: Record<string, number> = {};
  private readonly counts = { granted: 0, renewals: 0, expired: 0, revoked: 0, refused: 0 };
  private stopped = false;
  private failure: Error | undefined;
  private readonly loops: Promise<void>[] = [];
  private waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(
    private readonly victims: Victims,
    private readonly options: LeaseOptions,
  ) {
    this.dice = Dice.of(options.seed, "lease faults");
    this.clients = victims.endpoints.map((endpoint) =>
      connect({ endpoints: [endpoint], timeouts: { callMs: callTimeoutMs } }),
    );
  }

  async run(): Promise<LeaseReport> {
    const { options, victims } = this;
    await Promise.all(this.clients.map((client) => this.watch(client)));
    for (let at = 0; at < options.holders; at++) {
      this.loops.push(this.hold(at, Dice.of(options.seed, `holder ${at}`)));
    }
    for (let round = 1; round <= options.rounds; round++) {
      await this.ends(options.endsBetween);
      this.faultEndedMs = Number.POSITIVE_INFINITY;
      await this.fault();
      this.faultEndedMs = performance.now();
      options.log(
        `round ${round}: ${JSON.stringify(this.counts)}, late by ${Math.max(0, ...this.calmLateMs)} ms at most`,
      );
    }
    await victims.allHealthy();
    await this.ends(options.endsBetween);
    this.stopped = true;
    await within(patienceMs(0), "all holders at their end", Promise.all(this.loops));
    await this.nothingLeft();
    this.check();
    return {
      seed: options.seed,
      ...this.counts,
      calmLateMs: lateness(this.calmLateMs),
      disturbedLateMs: lateness(this.disturbedLateMs),
      faults: this.faults,
    };
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.allSettled(this.loops);
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
    const errors = this.victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
  }

  private fail(text: string): void {
    this.failure ??= new Error(`${text} (seed ${this.options.seed})`);
  }

  /** Resolves when `more` further leases were seen to end. */
  private async ends(more: number): Promise<void> {
    const count = this.counts.expired + this.counts.revoked + more;
    const done = new Promise<void>((resolve) => this.waiters.push({ count, resolve }));
    await within(patienceMs(0), `${more} ends of leases`, done);
    this.check();
  }

  /** Of each deletion: when it was heard of first. */
  private async watch(client: QuorateClient): Promise<void> {
    const watcher = client.watch(prefix, { prefix: true, without: "put" });
    await watcher.ready();
    const follow = async (): Promise<void> => {
      for await (const { events } of watcher) {
        const nowMs = performance.now();
        for (const { kv } of events) this.deleted(Buffer.from(kv.key).toString(), kv.modRevision, nowMs);
      }
    };
    follow().catch((error: unknown) => {
      if (!this.stopped) this.fail(`a watch ended: ${error}`);
    });
  }

  private deleted(key: string, revision: bigint, nowMs: number): void {
    const life = this.lives.get(key.split("/")[1]!);
    if (life === undefined) {
      this.fail(`${key} of an unknown lease was deleted`);
      return;
    }
    if (life.endRevision === undefined) this.ended(life, revision, nowMs);
    else if (life.endRevision !== revision) {
      this.fail(`${key} went at revision ${revision}, another key of its lease at ${life.endRevision}`);
    }
    life.keys.delete(key);
    life.gone.add(key);
    if (life.keys.size === 0) life.onGone();
  }

  private ended(life: Life, revision: bigint, nowMs: number): void {
    life.endRevision = revision;
    life.endedMs = nowMs;
    if (life.revoking) this.counts.revoked++;
    else {
      this.counts.expired++;
      const earlyMs = life.answeredMs + life.ttlMs - nowMs;
      if (earlyMs > toleranceMs) this.fail(`lease ${life.id} ended ${earlyMs} ms before its time`);
      this.noteLateness(life, nowMs);
    }
    const ended = this.counts.expired + this.counts.revoked;
    const due = this.waiters.filter(({ count }) => count <= ended);
    this.waiters = this.waiters.filter(({ count }) => count > ended);
    for (const waiter of due) waiter.resolve();
  }

  /** What a new leader gives is what was left at the last checkpoint, its whole time at the most. */
  private noteLateness(life: Life, nowMs: number): void {
    const lateMs = Math.round(Math.max(0, nowMs - (life.sentMs + life.ttlMs)));
    const isCalm = this.faultEndedMs < life.grantedMs;
    (isCalm ? this.calmLateMs : this.disturbedLateMs).push(lateMs);
    const dueMs = isCalm ? life.sentMs + life.ttlMs : Math.max(life.sentMs, this.faultEndedMs) + life.ttlMs;
    if (nowMs > dueMs + electionTimeoutMs + lateMsMax) {
      this.fail(`lease ${life.id} ended ${lateMs} ms after its time`);
    }
  }

  /** Lives one life after the other. */
  private async hold(holder: number, dice: Dice): Promise<void> {
    for (let count = 1; !this.stopped; count++) {
      const id = BigInt(holder * 1_000_000 + count);
      const life = await this.grant(id, dice);
      if (life === undefined) continue;
      await this.keep(life, dice);
      if (dice.chance(0.25)) await this.revoke(life, dice);
      await this.untilEnded(life);
    }
  }

  /** Undefined where nobody knows whether it was granted, or a key was attached: it runs out by itself. */
  private async grant(id: bigint, dice: Dice): Promise<Life | undefined> {
    const client = dice.pick(this.clients);
    const sentMs = performance.now();
    const ttl = ttlSecondsMin + dice.below(4);
    const granted = await this.attempt(client.leases.grant(ttl, { id }));
    if (granted === undefined) return undefined;
    const ttlMs = Number(granted.TTL) * 1_000;
    const life: Life = {
      id,
      ttlMs,
      keys: new Set(),
      gone: new Set(),
      grantedMs: sentMs,
      answeredMs: sentMs,
      sentMs,
      revoking: false,
      endedMs: undefined,
      endRevision: undefined,
      onGone: () => undefined,
    };
    this.lives.set(`${id}`, life);
    const keys = 1 + dice.below(3);
    for (let at = 0; at < keys; at++) {
      const key = `${prefix}${id}/${at}`;
      const put = await this.attempt(dice.pick(this.clients).kv.put(key, "v", { lease: id }));
      if (put !== undefined && !life.gone.has(key)) life.keys.add(key);
    }
    this.counts.granted++;
    return life.keys.size > 0 ? life : undefined;
  }

  /** Renews it some times, each time in a third of its time, at a member that it seldom changes. */
  private async keep(life: Life, dice: Dice): Promise<void> {
    let client = dice.pick(this.clients);
    const times = dice.below(12);
    for (let at = 0; at < times && !this.stopped; at++) {
      await delay((life.ttlMs / 3) * dice.random.fraction());
      const sentMs = performance.now();
      life.sentMs = sentMs;
      const overBefore = life.endedMs !== undefined;
      try {
        await client.leases.keepAliveOnce(life.id);
        if (overBefore) this.fail(`lease ${life.id} was renewed after it had ended`);
        life.answeredMs = sentMs;
        this.counts.renewals++;
      } catch (error) {
        if (!(error instanceof QuorateClientError)) throw error;
        if (isClientError(error, GrpcCode.NotFound)) {
          this.refused(life, sentMs);
          return;
        }
        client = dice.pick(this.clients);
      }
    }
  }

  /** The lease is over, it is said: its time must be. */
  private refused(life: Life, sentMs: number): void {
    this.counts.refused++;
    const nowMs = performance.now();
    if (nowMs < life.answeredMs + life.ttlMs - toleranceMs) {
      this.fail(`lease ${life.id} was over ${life.answeredMs + life.ttlMs - nowMs} ms before its time`);
    }
    // What asked in vain has renewed nothing.
    if (life.sentMs === sentMs) life.sentMs = life.answeredMs;
  }

  private async revoke(life: Life, dice: Dice): Promise<void> {
    life.revoking = true;
    const { id } = life;
    const revoked = await this.attempt(dice.pick(this.clients).leases.revoke(id));
    if (revoked === undefined) return;
    const client = dice.pick(this.clients);
    const renewed = await this.attempt(client.leases.keepAliveOnce(id));
    if (renewed !== undefined) this.fail(`lease ${id} was renewed after it had been revoked`);
    const left = await this.attempt(client.leases.timeToLive(id, { keys: true }));
    if (left !== undefined && left.TTL !== -1n)
      this.fail(`lease ${id} has ${left.TTL} s after it was revoked`);
  }

  private async untilEnded(life: Life): Promise<void> {
    if (life.keys.size === 0) return;
    const gone = new Promise<void>((resolve) => {
      life.onGone = resolve;
    });
    try {
      await within(patienceMs(0), `the end of lease ${life.id}`, gone);
    } catch (error) {
      this.fail(`${(error as Error).message}: of its keys there are ${[...life.keys].join(", ")}`);
    }
  }

  /** The answer, or undefined where there was none. */
  private async attempt<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await call;
    } catch (error) {
      if (error instanceof QuorateClientError) return undefined;
      throw error;
    }
  }

  /** Leases of which nobody knew run out too, at every member, and so do all keys. */
  private async nothingLeft(): Promise<void> {
    await using client = this.victims.connect();
    const deadlineMs = performance.now() + patienceMs(0);
    for (;;) {
      const { leases } = await client.leases.list();
      const { count } = await client.kv.get(prefix, { prefix: true, countOnly: true });
      if (leases.length === 0 && count === 0n) break;
      if (performance.now() > deadlineMs) {
        throw new Error(`${leases.length} leases and ${count} keys are left (seed ${this.options.seed})`);
      }
      await delay(100);
    }
    for (const each of this.clients) {
      const { leases } = await each.leases.list({ timeoutMs: 10_000 });
      if (leases.length > 0) throw new Error(`a member still has ${leases.length} leases`);
    }
  }

  private async fault(): Promise<void> {
    const kinds = ["kill leader", "kill follower", "kill all", "pause leader", "move leader"] as const;
    const kind = this.dice.pick(kinds);
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    const { victims } = this;
    const leader = await victims.leader();
    const other = this.dice.pick(victims.others(leader));
    switch (kind) {
      case "kill leader":
      case "kill follower": {
        const at = kind === "kill leader" ? leader : other;
        await victims.kill(at);
        await this.ends(pausedEndsMin);
        victims.restart(at);
        break;
      }
      case "kill all":
        await victims.killAll();
        for (let at = 0; at < victims.count; at++) victims.restart(at);
        break;
      case "pause leader":
        victims.signal(leader, "SIGSTOP");
        try {
          await victims.leader(victims.others(leader));
          // The others end leases and renew leases that the one that stands still will find due.
          await this.ends(pausedEndsMin);
        } finally {
          victims.signal(leader, "SIGCONT");
        }
        break;
      case "move leader":
        await victims.makeLeader(other);
        break;
    }
    await victims.allHealthy();
  }
}

function lateness(values: readonly number[]): Lateness {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
