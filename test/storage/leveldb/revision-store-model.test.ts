/**
 * Random histories against a plain model: whatever was appended, flushed, compacted and reopened, reads, scans and
 * state must be those of a sorted list and a map. If this fails, acknowledged writes are lost or changed.
 */
import { setImmediate as yieldTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RevisionRecord } from "../../../src/mvcc/contract.js";
import { openClassicLevelStore } from "../../../src/storage/leveldb/classic-level-store.js";
import type { OrderedStore } from "../../../src/storage/leveldb/ordered-store.js";
import type { LevelRevisionStore } from "../../../src/storage/leveldb/revision-store.js";
import { MemoryOrderedStore } from "../../support/memory-ordered-store.js";
import { bytesOf, openOn, scanAll, withDirectory } from "./fixture.js";

type Step =
  | {
      readonly do: "unit";
      readonly sizes: readonly number[];
      readonly state: readonly (readonly [string, number])[];
    }
  | { readonly do: "flush"; readonly lag: number; readonly sync: boolean }
  | { readonly do: "compact"; readonly lag: number; readonly keepOneIn: number; readonly during: boolean }
  | { readonly do: "reopen" };

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 3, arbitrary: fc.integer({ min: 2_000, max: 20_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
);
const stateChange = fc.tuple(fc.constantFrom("a/1", "a/2", "a/3", "b/1"), fc.integer({ min: -1, max: 90 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("unit" as const),
      sizes: fc.array(size, { maxLength: 12 }),
      state: fc.array(stateChange, { maxLength: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("flush" as const), lag: fc.nat(2), sync: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("compact" as const),
      lag: fc.nat(6),
      keepOneIn: fc.integer({ min: 1, max: 5 }),
      during: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
);

interface ModelUnit {
  readonly index: number;
  readonly records: readonly RevisionRecord[];
  readonly state: ReadonlyMap<string, Uint8Array>;
}

/** The last unit is the newest content; `durable` counts units that a reopen keeps. */
class Model {
  units: ModelUnit[] = [{ index: 0, records: [], state: new Map() }];
  durable = 0;

  get newest(): ModelUnit {
    return this.units.at(-1)!;
  }
}

class Run {
  private readonly model = new Model();
  private main = 1;

  constructor(
    private store: LevelRevisionStore,
    private readonly reopen: (store: LevelRevisionStore) => Promise<LevelRevisionStore>,
  ) {}

  async take(step: Step): Promise<void> {
    const { model } = this;
    if (step.do === "unit") this.unit(step.sizes, step.state);
    else if (step.do === "flush") {
      const upTo = Math.max(model.durable, model.units.length - 1 - step.lag);
      const flushed = this.store.flush(model.units[upTo]!.index, { sync: step.sync });
      await this.checkDuring(flushed);
      model.durable = upTo;
    } else if (step.do === "compact") await this.compact(step.lag, step.keepOneIn, step.during);
    else {
      this.store = await this.reopen(this.store);
      model.units.length = model.durable + 1;
      this.main = (model.newest.records.at(-1)?.main ?? this.main) + 1;
    }
    this.check();
    await this.checkScan();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private unit(sizes: readonly number[], changes: readonly (readonly [string, number])[]): void {
    const records = [...this.model.newest.records];
    const state = new Map(this.model.newest.state);
    sizes.forEach((length, at) => {
      const sub = at % 4;
      if (sub === 0) this.main++;
      const keyValue = bytesOf(this.main, sub, length);
      const record = { main: this.main, sub, tombstone: length % 5 === 0, keyValue };
      this.store.append(record.main, record.sub, record.tombstone, keyValue);
      records.push(record);
    });
    for (const [key, length] of changes) {
      const value = length < 0 ? undefined : bytesOf(length, this.main, length);
      this.store.setState(key, value);
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
    const index = this.model.newest.index + 1;
    this.store.seal({ index, term: 3 });
    this.model.units.push({ index, records, state });
  }

  private async compact(lag: number, keepOneIn: number, during: boolean): Promise<void> {
    const { model } = this;
    const durable = model.units[model.durable]!.records;
    const upTo = durable[Math.max(durable.length - 1 - lag, 0)]?.main ?? 0;
    const newestDurable = durable.at(-1);
    const alive = (record: { readonly main: number; readonly sub: number }) =>
      (record.main + record.sub) % keepOneIn === 0 || record.main > upTo;
    const compacted = this.store.compact(upTo, alive);
    if (during) this.unit([100, 200, 50_000], [["a/1", 3]]);
    const flushed = during ? this.store.flush(model.newest.index, { sync: true }) : undefined;
    await this.checkDuring(Promise.all([compacted, flushed]), alive);
    if (during) model.durable = model.units.length - 1;
    // Units that were pending when the compaction passed are not compacted: theirs are above `newestDurable`.
    const stays = (record: RevisionRecord) =>
      newestDurable === undefined ||
      record.main > newestDurable.main ||
      (record.main === newestDurable.main && record.sub > newestDurable.sub) ||
      alive(record);
    model.units = model.units.map((unit) => ({ ...unit, records: unit.records.filter(stays) }));
  }

  /** Reads all the time while `work` is under way: LevelDB may hold a batch that the store does not yet know of. */
  private async checkDuring(work: Promise<unknown>, alive: (record: RevisionRecord) => boolean = () => true) {
    let done = false;
    const ended = work.finally(() => {
      done = true;
    });
    for (let turn = 0; !done; turn++) {
      this.check(alive);
      await (turn % 8 === 7 ? yieldTurn() : Promise.resolve());
    }
    await ended;
  }

  private check(alive: (record: RevisionRecord) => boolean = () => true): void {
    const { records, state } = this.model.newest;
    for (const record of records) {
      if (!alive(record)) continue;
      expect(Buffer.compare(this.store.read(record.main, record.sub), record.keyValue)).toBe(0);
    }
    const listed = this.store
      .listState("a/")
      .map(([key, value]) => [key, Buffer.from(value).toString("hex")]);
    const expected = [...state].filter(([key]) => key.startsWith("a/")).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(listed).toEqual(expected.map(([key, value]) => [key, Buffer.from(value).toString("hex")]));
    expect(this.store.getState("b/1")?.length).toBe(state.get("b/1")?.length);
  }

  private async checkScan(): Promise<void> {
    const { records } = this.model.units[this.model.durable]!;
    expect(this.store.durableApplied.index).toBe(this.model.units[this.model.durable]!.index);
    const name = (record: RevisionRecord) =>
      `${record.main}.${record.sub}${record.tombstone ? "t" : ""} ${Buffer.from(record.keyValue).toString("base64")}`;
    expect((await scanAll(this.store)).map(name)).toEqual(records.map(name));
  }
}

async function follow(
  open: () => Promise<OrderedStore>,
  steps: readonly Step[],
  cacheBytesMax: number,
): Promise<void> {
  const run = new Run(await openOn(await open(), cacheBytesMax), async (store) => {
    await store.close();
    return openOn(await open(), cacheBytesMax);
  });
  for (const each of steps) await run.take(each);
  await run.close();
}

describe("any history of the revision store", () => {
  it("is that of the model, in memory, whatever the cache holds", async () => {
    const cache = fc.constantFrom(0, 70_000, 1_000_000);
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40, size: "max" }),
      cache,
      async (steps, cacheBytesMax) => {
        const ordered = new MemoryOrderedStore();
        await follow(async () => ordered, steps, cacheBytesMax);
      },
    );
    await fc.assert(property, { numRuns: 50 });
  });

  it("is that of the model over LevelDB", async () => {
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 30, size: "max" }),
      async (steps) => {
        await withDirectory((directory) =>
          follow(() => openClassicLevelStore(directory, { create: true }), steps, 100_000),
        );
      },
    );
    await fc.assert(property, { numRuns: 20 });
  });
});
