/** The older part of the log is packed. A packed entry that came back otherwise would go to a follower that lags. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../src/base/limits.js";
import { EntryPages } from "../../src/raft/entry-pages.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import { type Entry, EntryType } from "../../src/raft/types.js";

function payload(index: number, term: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill((index * 7 + term) & 0xff);
}

function entryOf(index: number, term: number, sizeBytes: number): Entry {
  const type = index % 5 === 0 ? EntryType.ConfChangeV2 : EntryType.Normal;
  return { index, term, type, data: payload(index, term, sizeBytes) };
}

describe("packed entries", () => {
  const sizes = fc.oneof(
    fc.constantFrom(0, 1, 300),
    fc.constantFrom(limits.logPageBytes / 2, limits.logPageBytes, limits.logPageBytes + 1),
  );
  const steps = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("push" as const), sizes: fc.array(sizes) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("dropFirst" as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("truncate" as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
  );

  it("come back as they went in, whatever is dropped at both ends", () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 25 }), (plan) => {
        const pages = new EntryPages();
        let model: Entry[] = [];
        let index = 0;
        const given: [Entry, Entry][] = [];
        for (const [term, step] of plan.entries()) {
          if (step.kind === "push") {
            for (const size of step.sizes) {
              const entry = entryOf(++index, term, size);
              pages.push(entry);
              model.push(entry);
            }
          } else if (step.kind === "dropFirst") {
            const count = Math.floor(step.part * model.length);
            pages.dropFirst(count);
            model = model.slice(count);
          } else {
            const count = Math.floor(step.part * model.length);
            pages.truncate(count);
            model = model.slice(0, count);
          }
          expect(pages.length).toBe(model.length);
          model.forEach((entry, at) => {
            expect(pages.termAt(at)).toBe(entry.term);
            const read = pages.entryAt(at, entry.index);
            expect(same(read, entry)).toBe(true);
            if (given.length < 50) given.push([read, entry]);
          });
        }
        for (const [read, entry] of given) expect(same(read, entry)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

function same(a: Entry, b: Entry): boolean {
  return (
    a.term === b.term && a.index === b.index && a.type === b.type && Buffer.compare(a.data, b.data) === 0
  );
}

describe("the stable log, packed in part", () => {
  const steps = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        count: fc.integer({ min: 1, max: 1_500 }),
        back: fc.integer({ min: 0, max: 3_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("compact" as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
  );

  it("is as one list, also where a new leader replaces entries that are packed already", () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 4, maxLength: 12 }), (plan) => {
        const log = new MemoryLog();
        let cut = 0;
        let model: Entry[] = [];
        plan.forEach((step, at) => {
          const term = at + 1;
          if (step.kind === "append") {
            // Most appends go on at the end; some replace a tail.
            const kept = step.back % 3 === 0 ? Math.max(0, model.length - step.back) : model.length;
            const added = Array.from({ length: step.count }, (_, i) => entryOf(cut + kept + 1 + i, term, 20));
            log.append(added);
            model = [...model.slice(0, kept), ...added];
          } else {
            const count = Math.floor(step.part * model.length);
            log.compact(cut + count);
            cut += count;
            model = model.slice(count);
          }
          expect(log.lastIndex()).toBe(cut + model.length);
          const all = log.entries(log.firstIndex(), log.lastIndex() + 1, Number.POSITIVE_INFINITY);
          expect(all.length).toBe(model.length);
          expect(all.every((entry, i) => same(entry, model[i]!))).toBe(true);
          expect(model.every((entry) => log.term(entry.index) === entry.term)).toBe(true);
        });
      }),
      { numRuns: 40 },
    );
  });
});
