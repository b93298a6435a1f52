/**
 * Tells watches what was committed. A watch that keeps up is *live*: it is found by the keys of what was written
 * and told after the turn in which it was applied, several whole revisions at a time. One that does not, or that
 * begins in the past, is served from history (catch-up.ts) until it has got everything, and is live then.
 *
 *   create(past) ──▶ catchUp ──has got everything──▶ live ◀── create(now, future)
 *                    ▲     │                          │
 *      stream resumes│     │stream is behind          │an event for it, and its stream is behind
 *                    │     ▼                          ▼
 *                    └── parked ◀─────────────────────┘
 *
 * Invariants: a live watch has got everything up to `deliveredRevision`; any other has got everything below its
 * `next` and nothing from there on. So nothing is lost, repeated or out of order, whatever way a watch goes.
 *
 * Absent here: time, sockets, promises. The owner calls `deliver` after each turn that may have applied something,
 * before anything else touches the store, and `catchUp` soon after `wake` was called.
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { Change, ChangeSink } from "../changes.js";
import type { MvccStore } from "../store.js";
import { CatchUp, type WatchSource } from "./catch-up.js";
import { EventBatch } from "./event-batch.js";
import { eventOptionsMask, type Watch } from "./watch.js";
import { type WatchGroup, WatchIndex } from "./watch-index.js";
import { type WatchOutlet, WatchStream } from "./watch-stream.js";

export interface WatchHubDeps {
  readonly source: () => WatchSource;
  /** `catchUp` has something to do. Called from inside other calls: it must not call back at once. */
  readonly wake: () => void;
}

export class WatchHub implements ChangeSink {
  private readonly live = new WatchIndex();
  private readonly behind: CatchUp;
  private readonly streams = new Set<WatchStream>();
  /** Streams with a progress request that is not answered yet. */
  private readonly asking = new Set<WatchStream>();
  private committedChanges: (readonly Change[])[] = [];
  private delivered: Revision = 0;
  private store: MvccStore | undefined;
  /** Answers that the step in hand may still send. */
  private sendsLeft = 0;
  /** Watches that the last delivery of something committed told. */
  private lastTold = 0;

  constructor(private readonly deps: WatchHubDeps) {
    this.behind = new CatchUp({
      maySend: () => this.sendsLeft-- > 0,
      park: (watch) => this.move(watch, "parked"),
      promote: (watch) => this.move(watch, "live"),
      endCompacted: (watch, compactRevision) => {
        this.move(watch, "ended");
        watch.stream.giveCompacted(watch, compactRevision);
      },
    });
  }

  /** Live watches have got everything up to here. */
  get deliveredRevision(): Revision {
    return this.delivered;
  }

  get streamCount(): number {
    return this.streams.size;
  }

  /** Watches that were told the last time that something was committed: as many, likely, as the next time. */
  get fanOut(): number {
    return this.lastTold;
  }

  /** Watches that are not over. */
  get watchCount(): number {
    return this.live.size + this.laggingCount;
  }

  /** Watches that have not got everything. */
  get laggingCount(): number {
    let parked = 0;
    for (const stream of this.streams) parked += stream.parked.size;
    return this.behind.size + parked;
  }

  open(outlet: WatchOutlet): WatchStream {
    const stream = new WatchStream(outlet, this);
    this.streams.add(stream);
    return stream;
  }

  committed(_revision: Revision, changes: readonly Change[]): void {
    if (this.live.size > 0) this.committedChanges.push(changes);
  }

  /** Tells the live watches what was committed since the last call. */
  deliver(): void {
    this.current();
    this.answerProgress();
    if (this.behind.size > 0) this.deps.wake();
  }

  /** One bounded step for the watches that lag. Calls `wake` again while there is more to do. */
  catchUp(): void {
    const source = this.current();
    if (!source.readable || this.behind.size === 0) return;
    this.sendsLeft = limits.watchSendsPerStep;
    this.behind.step(source);
    this.answerProgress();
    if (this.behind.size > 0) this.deps.wake();
  }

  // What follows is for the streams (StreamHost).

  nextRevision(): Revision {
    return this.current().store.revision + 1;
  }

  begin(watch: Watch): void {
    this.move(watch, watch.next > this.current().store.revision ? "live" : "catchUp");
  }

  end(watch: Watch): void {
    this.move(watch, "ended");
  }

  unpark(stream: WatchStream): void {
    for (const watch of stream.parked) this.move(watch, "catchUp");
    this.answerProgress();
  }

  awaitProgress(stream: WatchStream): void {
    if (!stream.tryProgress()) this.asking.add(stream);
  }

  forget(stream: WatchStream): void {
    this.streams.delete(stream);
    this.asking.delete(stream);
  }

  /** The source as it is now; live watches have got everything that it holds, or are live no more. */
  private current(): WatchSource {
    const source = this.deps.source();
    const { store } = source;
    if (store !== this.store) this.adopt(store);
    else if (store.revision > this.delivered) this.deliverCommitted(source);
    this.delivered = store.revision;
    return source;
  }

  /** Another store took the place of the one before: whoever has not got all of it lags behind. */
  private adopt(store: MvccStore): void {
    const isFirst = this.store === undefined;
    this.store = store;
    this.committedChanges = [];
    if (isFirst) return;
    assert(store.revision >= this.delivered, "a store is replaced by a newer one");
    for (const stream of this.streams) {
      for (const watch of stream.watches.values()) {
        if (watch.place === "live") this.fallBehind(watch, Math.max(watch.next, this.delivered + 1));
      }
    }
  }

  private deliverCommitted({ store, readable }: WatchSource): void {
    const transactions = this.committedChanges;
    this.committedChanges = [];
    this.sendsLeft = limits.watchSendsPerStep;
    const { log } = store;
    for (const group of this.collect(transactions)) {
      // Only the live index is asked, and only changes are put to its groups.
      const writes = group.writes as Change[];
      group.writes = [];
      for (const part of cut(writes)) {
        const batch = new EventBatch(part, ({ previous }) =>
          previous === undefined ? undefined : log.read(previous.main, previous.sub),
        );
        this.send(group, batch, readable);
      }
    }
    this.lastTold = limits.watchSendsPerStep - this.sendsLeft;
  }

  /** The groups that watch something of it, with what was written to their keys. */
  private collect(transactions: readonly (readonly Change[])[]): readonly WatchGroup[] {
    const groups: WatchGroup[] = [];
    for (const changes of transactions) {
      for (const change of changes) {
        this.live.visit(change.key, (group) => {
          if (group.writes.length === 0) groups.push(group);
          group.writes.push(change);
        });
      }
    }
    return groups;
  }

  private send(group: WatchGroup, batch: EventBatch<Change>, readable: boolean): void {
    for (let at = group.watches.length - 1; at >= 0; at--) {
      const watch = group.watches[at]!;
      const { stream } = watch;
      if (watch.next > batch.lastRevision) continue;
      if (!readable || stream.behind || this.sendsLeft <= 0) {
        this.fallBehind(watch, Math.max(watch.next, batch.firstRevision));
        continue;
      }
      const events = batch.eventsFor(watch.next, watch.options & eventOptionsMask);
      if (events === undefined) continue;
      this.sendsLeft--;
      stream.give(watch, events, batch.lastRevision);
    }
  }

  /** A live watch that waits for `next`, unless that is still to come. */
  private fallBehind(watch: Watch, next: Revision): void {
    if (next > this.store!.revision) return;
    watch.next = next;
    this.move(watch, watch.stream.behind ? "parked" : "catchUp");
  }

  private move(watch: Watch, to: Watch["place"]): void {
    const { stream, place } = watch;
    if (place === "live") this.live.remove(watch);
    else if (place === "catchUp") this.behind.remove(watch);
    else if (place === "parked") stream.parked.delete(watch);
    if (place === "catchUp" || place === "parked") stream.lagging--;
    watch.place = to;
    if (to === "live") this.live.add(watch);
    else if (to === "parked") stream.parked.add(watch);
    else if (to === "catchUp") {
      this.behind.add(watch);
      this.deps.wake();
    }
    if (to === "catchUp" || to === "parked") stream.lagging++;
  }

  private answerProgress(): void {
    for (const stream of this.asking) if (stream.tryProgress()) this.asking.delete(stream);
  }
}

/** Parts of whole revisions, each ended by the first one with which it has limits.watchSliceBytes. */
function cut(writes: readonly Change[]): readonly (readonly Change[])[] {
  const parts: Change[][] = [[]];
  let bytes = 0;
  let main = writes[0]!.main;
  for (const write of writes) {
    if (write.main !== main && bytes >= limits.watchSliceBytes) {
      parts.push([]);
      bytes = 0;
    }
    main = write.main;
    bytes += write.keyValue.length;
    parts.at(-1)!.push(write);
  }
  return parts;
}
