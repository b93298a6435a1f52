/** One watch of our own client, which goes on by itself; now and then it is closed, and begun anew after the last header. */
import { connect, type QuorateClient, WatchCanceledError, type Watcher } from "../src/client/index.js";
import type { Dice } from "../test/sim/dice.js";
import { recordedEvent } from "./recorded.js";
import type { WatchPlan, WatchRecord, WatchRecorder } from "./watch-recorder.js";
import { patienceMs, within } from "./within.js";

const progressMs = 300;

export interface ClientWatchDeps {
  readonly name: string;
  readonly dice: Dice;
  readonly recorder: WatchRecorder;
  /** Resolves after some more writes: a reader that waits for it is slow. */
  readonly someWrites: () => Promise<void>;
}

export class ClientWatch {
  private readonly client: QuorateClient;
  private readonly loop: Promise<void>;
  private next: number;
  private record: WatchRecord | undefined;
  private watcher: Watcher | undefined;
  private finish: { readonly revision: number; readonly resolve: () => void } | undefined;
  private closed = false;

  constructor(
    endpoints: readonly string[],
    private readonly plan: WatchPlan,
    private readonly deps: ClientWatchDeps,
  ) {
    this.client = connect({ endpoints });
    this.next = plan.startRevision;
    this.loop = this.run();
    // Whoever waits for the end sees the failure.
    this.loop.catch(() => undefined);
  }

  /** Resolves when the watch was told that it has got everything up to `revision`. */
  async complete(revision: number): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.finish = { revision, resolve };
    });
    this.settle();
    const again = setInterval(() => this.client.watches.requestProgress(), progressMs);
    this.client.watches.requestProgress();
    const failed = this.loop.then(() => {
      throw new Error(`${this.deps.name} has ended`);
    });
    try {
      await within(
        patienceMs(0),
        `${this.deps.name} complete up to ${revision}`,
        Promise.race([done, failed]),
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; it is at ${this.next}`, { cause: error });
    } finally {
      clearInterval(again);
    }
    this.record!.completeTo = revision;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.watcher?.close();
    await this.client.close();
    await this.loop.catch(() => undefined);
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      try {
        await this.follow();
      } catch (error) {
        if (this.closed) return;
        if (!(error instanceof WatchCanceledError) || error.compactRevision === undefined) throw error;
        // How far the client itself had come is its own affair: it may be less than a header told.
        this.deps.recorder.counts.endedByCompaction++;
        this.next = Number(error.compactRevision);
      }
    }
  }

  /** Until it is closed, or ended by the server. */
  private async follow(): Promise<void> {
    const { plan, deps } = this;
    const without = plan.noPut ? "put" : plan.noDelete ? "delete" : undefined;
    const watcher = this.client.watch(plan.key, {
      ...(plan.rangeEnd === "" ? {} : { rangeEnd: plan.rangeEnd }),
      startRevision: this.next,
      prevKv: plan.prevKv,
      without,
      progressNotify: true,
    });
    this.watcher = watcher;
    const first = Number(await watcher.ready());
    const record = deps.recorder.begin(deps.name, plan, first);
    this.record = record;
    this.next = first;
    const isSlow = deps.dice.chance(0.3);
    for await (const { header, events } of watcher) {
      const revision = Number(header.revision);
      deps.recorder.note(record, {
        revision,
        created: false,
        canceled: false,
        compactRevision: 0,
        fragment: false,
        events: events.map(({ type, kv, prevKv }) => recordedEvent(type, kv, prevKv)),
      });
      this.next = Math.max(this.next, revision + 1);
      this.settle();
      if (this.finish !== undefined) continue;
      if (deps.dice.chance(0.002)) return;
      if (isSlow && deps.dice.chance(0.05)) await deps.someWrites();
    }
  }

  private settle(): void {
    const { finish } = this;
    if (finish !== undefined && this.record !== undefined && this.next > finish.revision) finish.resolve();
  }
}
