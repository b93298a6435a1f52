/** Random writes, compactions, snapshots and clients that stop reading, in any order, and what must hold of them. */
import fc from "fast-check";
import { expect } from "vitest";
import { checkWatches, type RecordedWatch } from "../../../cluster-test/watch-checker.js";
import type { WatchCreate } from "../../../src/mvcc/watch/watch.js";
import { WatchOption } from "../../../src/mvcc/watch/watch.js";
import { del, put, txn } from "../fakes.js";
import { type FakeClient, recordedWatch, WatchBench, watchCreate } from "./fixture.js";

const keys = ["a", "b", "ba", "c", "d"] as const;
const key = fc.constantFrom(...keys);
const rangeEnd = fc.constantFrom("", "", "\0", "c", "e");

type Step =
  | { readonly do: "put"; readonly key: string }
  | { readonly do: "delete"; readonly key: string; readonly rangeEnd: string }
  | { readonly do: "txn"; readonly keys: readonly string[] }
  | { readonly do: "compact"; readonly back: number }
  | { readonly do: "deliver" }
  | { readonly do: "catchUp" }
  | {
      readonly do: "snapshot";
      readonly writes: readonly string[];
      readonly compact: boolean;
      readonly adopted: boolean;
    }
  | {
      readonly do: "create";
      readonly client: number;
      readonly key: string;
      readonly rangeEnd: string;
      readonly start: number;
      readonly options: number;
    }
  | { readonly do: "cancel"; readonly client: number; readonly pick: number }
  | { readonly do: "progress"; readonly client: number }
  | { readonly do: "notify"; readonly client: number }
  | { readonly do: "stopReading"; readonly client: number; readonly room: number }
  | { readonly do: "read"; readonly client: number };

const client = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), key, rangeEnd }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("txn" as const), keys: fc.uniqueArray(key, { minLength: 2 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("compact" as const), back: fc.integer({ min: 0, max: 6 }) }),
  },
  { weight: 6, arbitrary: fc.constant({ do: "deliver" as const }) },
  { weight: 3, arbitrary: fc.constant({ do: "catchUp" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("snapshot" as const),
      writes: fc.array(key, { maxLength: 4 }),
      compact: fc.boolean(),
      adopted: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      client,
      key,
      rangeEnd,
      start: fc.integer({ min: -12, max: 6 }),
      options: fc.integer({ min: 0, max: 31 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), client, pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("progress" as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("notify" as const), client }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("stopReading" as const),
      client,
      room: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), client }) },
);

interface OpenWatch {
  readonly client: FakeClient;
  readonly id: number;
  readonly request: WatchCreate;
  /** Where in what the client was told the watch begins: ids come again. */
  readonly from: number;
}

class Run {
  readonly bench = new WatchBench();
  readonly clients = [0, 1, 2].map(() => this.bench.client());
  readonly open: OpenWatch[] = [];
  readonly recorded: RecordedWatch[] = [];
  private writes = 0;
  private compacted = 0;

  step(step: Step): void {
    const { store, hub } = this.bench;
    switch (step.do) {
      case "put":
        store.put(put(step.key, `v${this.writes++}`));
        return;
      case "delete":
        store.deleteRange(del(step.key, step.rangeEnd));
        return;
      case "txn":
        store.txn(txn({ success: step.keys.map((each, at) => this.write(each, at)) }));
        return;
      case "compact":
        this.compact(store.revision - step.back);
        return;
      case "deliver":
        hub.deliver();
        return;
      case "catchUp":
        hub.catchUp();
        return;
      case "snapshot":
        this.snapshot(step);
        return;
      case "create":
        this.create(this.clients[step.client]!, step);
        return;
      case "cancel":
        this.cancel(this.clients[step.client]!, step.pick);
        return;
      case "progress":
        this.clients[step.client]!.stream.requestProgress();
        return;
      case "notify":
        this.clients[step.client]!.stream.notifyIdle();
        return;
      case "stopReading":
        this.clients[step.client]!.stopReading(step.room);
        return;
      case "read":
        this.clients[step.client]!.read();
        return;
    }
  }

  finish(): readonly RecordedWatch[] {
    for (const each of this.clients) each.read();
    this.bench.settle();
    for (const each of this.clients) {
      const before = each.told.length;
      if (each.stream.watches.size > 0 && each.stream.lagging === 0) each.stream.requestProgress();
      expect(each.told.length - before).toBeLessThanOrEqual(1);
    }
    for (const watch of this.open) this.record(watch, this.bench.store.revision);
    return this.recorded;
  }

  get history() {
    return { events: this.bench.written, compactedRevision: this.compacted };
  }

  private write(each: string, at: number) {
    if (at % 3 === 2) return { kind: "deleteRange", request: del(each) } as const;
    return { kind: "put", request: put(each, `t${this.writes++}`) } as const;
  }

  /** What is decided with a turn is told to live watches before anything leaves the log. */
  private compact(revision: number): void {
    this.bench.hub.deliver();
    if (revision < 1 || revision <= this.bench.store.compactedRevision) return;
    this.bench.compact(revision);
    this.compacted = Math.max(this.compacted, revision);
  }

  private snapshot({ writes, compact, adopted }: Step & { readonly do: "snapshot" }): void {
    this.bench.hub.deliver();
    const other = new WatchBench();
    other.install(this.bench);
    for (const each of writes) other.store.put(put(each, `s${this.writes++}`));
    if (compact && other.store.revision > Math.max(1, other.store.compactedRevision)) {
      other.compact(other.store.revision);
      this.compacted = Math.max(this.compacted, other.store.revision);
    }
    this.bench.install(other);
    // The next call of whatever kind finds the new store, or the turn after it does.
    if (adopted) this.bench.hub.deliver();
  }

  private create(from: FakeClient, step: Step & { readonly do: "create" }): void {
    if (from.stream.behind) return;
    const startRevision = step.start === 6 ? 0 : Math.max(0, this.bench.store.revision + step.start);
    const request = watchCreate(step.key, {
      rangeEnd: step.rangeEnd,
      startRevision,
      options: step.options & ~WatchOption.Fragment,
    });
    if (step.rangeEnd > "\0" && step.key >= step.rangeEnd) return;
    const at = from.told.length;
    const id = from.create(step.key, { rangeEnd: step.rangeEnd, startRevision, options: request.options });
    this.open.push({ client: from, id, request, from: at });
  }

  private cancel(from: FakeClient, pick: number): void {
    const own = this.open.filter((watch) => watch.client === from);
    const watch = own[pick % Math.max(own.length, 1)];
    if (watch === undefined) return;
    expect(from.stream.cancel(watch.id)).toBe(true);
    this.open.splice(this.open.indexOf(watch), 1);
    this.record(watch, undefined);
  }

  private record(watch: OpenWatch, completeTo: number | undefined): void {
    const recorded = recordedWatch(watch.client, watch.id, watch.request, undefined);
    const told = watch.client.told
      .slice(watch.from)
      .filter((each) => each.watchId === watch.id || each.watchId === -1);
    const answers = told.map(({ answer }) => answer);
    const ended = answers.some((answer) => answer.canceled);
    this.recorded.push({ ...recorded, answers, completeTo: ended ? undefined : completeTo });
  }
}

/** Every watch keeps every promise of the checker and in the end has got everything; nobody is left over. */
export const everyPromiseHolds = fc.property(
  fc.array(step, { minLength: 1, maxLength: 120, size: "max" }),
  (steps) => {
    const run = new Run();
    for (const each of steps) run.step(each);
    const recorded = run.finish();
    expect(checkWatches(recorded, run.history)).toEqual([]);
    expect(run.bench.hub.laggingCount).toBe(0);
    for (const each of run.clients) each.stream.close();
    expect([run.bench.hub.watchCount, run.bench.hub.streamCount]).toEqual([0, 0]);
  },
);
