/**
 * What was written, told by the store's reads: its state at every revision, asked for one revision after the other
 * before a compaction takes it. Watches have no part in it, so it can be held against them.
 */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type QuorateClient, QuorateClientError, type RangeResponse } from "../src/client/index.js";
import { recordedPair } from "./recorded.js";
import type { RecordedEvent, RecordedPair } from "./watch-checker.js";
import { patienceMs, within } from "./within.js";

/** Revisions asked for at once. */
const readsAtOnce = 32;
const idlePollMs = 10;
/** A member that stands still is not waited for: another one is asked. */
const readTimeoutMs = 1_000;

export class Chronicle {
  /** In order; inside a revision by key, which is the order of writes where each writes its keys in order. */
  readonly events: RecordedEvent[] = [];
  private last = 1;
  private pairs: ReadonlyMap<string, RecordedPair> = new Map();
  private readonly clients: readonly QuorateClient[];
  private inUse = 0;
  private stopped = false;
  private waiters: { readonly revision: number; readonly resolve: () => void }[] = [];
  private readonly loop: Promise<void>;

  /** The store must be empty. `prefix`: of all keys that are written. */
  constructor(
    endpoints: readonly string[],
    private readonly prefix: string,
  ) {
    this.clients = endpoints.map((endpoint) =>
      connect({ endpoints: [endpoint], timeouts: { callMs: readTimeoutMs } }),
    );
    this.loop = this.run();
    // Whoever stops it sees the failure.
    this.loop.catch(() => undefined);
  }

  /** Every revision up to this one is told. */
  get revision(): number {
    return this.last;
  }

  /** Resolves when `revision` is told. */
  reached(revision: number): Promise<void> {
    if (this.last >= revision) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.waiters.push({ revision, resolve }));
    const failed = this.loop.then(() => {
      throw new Error("the chronicle has ended");
    });
    return within(patienceMs(revision), `revision ${revision} read`, Promise.race([done, failed]));
  }

  /** Resolves, when all of it is told, with the store's revision; nobody must be writing. */
  async complete(): Promise<number> {
    const { header } = await this.ask((client) => client.kv.get(this.prefix, { countOnly: true }));
    const revision = Number(header!.revision);
    await this.reached(revision);
    return revision;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    try {
      await this.loop;
    } finally {
      await Promise.all(this.clients.map((client) => client.close()));
    }
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const { header } = await this.ask((client) => client.kv.get(this.prefix, { countOnly: true }));
      const newest = Number(header!.revision);
      while (this.last < newest && !this.stopped) {
        const count = Math.min(readsAtOnce, newest - this.last);
        const states = await Promise.all(
          Array.from({ length: count }, (_, at) => this.stateAt(this.last + 1 + at)),
        );
        for (const state of states) this.tell(state);
      }
      if (newest === this.last) await delay(idlePollMs);
    }
  }

  private async stateAt(revision: number): Promise<ReadonlyMap<string, RecordedPair>> {
    const options = { prefix: true, revision };
    const all = await this.ask((client) => client.kv.get(this.prefix, { ...options, keysOnly: true }));
    const changed = all.kvs.some((kv) => Number(kv.modRevision) === revision);
    const written = changed
      ? await this.ask((client) => client.kv.get(this.prefix, { ...options, minModRevision: revision }))
      : undefined;
    return new Map([...all.kvs, ...(written?.kvs ?? [])].map(recordedPair).map((pair) => [pair.key, pair]));
  }

  /** `state` is that of the next revision; values of what it did not change are empty. */
  private tell(state: ReadonlyMap<string, RecordedPair>): void {
    const revision = this.last + 1;
    const next = new Map<string, RecordedPair>();
    const keys = [...new Set([...this.pairs.keys(), ...state.keys()])].sort();
    for (const key of keys) {
      const before = this.pairs.get(key);
      const pair = state.get(key);
      if (pair === undefined) {
        const gone = { key, value: "", createRevision: 0, modRevision: revision, version: 0 };
        this.events.push({ kind: "delete", pair: gone, previous: before });
      } else if (pair.modRevision === revision) {
        this.events.push({ kind: "put", pair, previous: before });
        next.set(key, pair);
      } else if (before?.modRevision === pair.modRevision) {
        next.set(key, before);
      } else {
        throw new Error(`${key} of revision ${pair.modRevision} appeared at revision ${revision}`);
      }
    }
    this.pairs = next;
    this.last = revision;
    const due = this.waiters.filter((waiter) => waiter.revision <= revision);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }

  /** Of the members one after the other, until one answers. */
  private async ask(question: (client: QuorateClient) => Promise<RangeResponse>): Promise<RangeResponse> {
    const deadline = Date.now() + patienceMs(0);
    for (;;) {
      const asked = this.inUse;
      try {
        return await question(this.clients[asked]!);
      } catch (error) {
        if (!(error instanceof QuorateClientError) || this.stopped || Date.now() > deadline) throw error;
        if (this.inUse === asked) this.inUse = (asked + 1) % this.clients.length;
        await delay(idlePollMs);
      }
    }
  }
}
