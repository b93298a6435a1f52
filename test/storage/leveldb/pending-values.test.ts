/** Revisions wait for their flush in memory that is used again: one that was read must not change when that happens. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/base/limits.js";
import type { RevisionRecord } from "../../../src/mvcc/contract.js";
import { packBlocks } from "../../../src/storage/leveldb/block-packer.js";
import { PendingUnits } from "../../../src/storage/leveldb/pending-units.js";
import { RevisionColumns } from "../../../src/storage/leveldb/revision-columns.js";

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 300, 5_000) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      limits.pendingPageBytes - 1,
      limits.pendingPageBytes,
      limits.pendingPageBytes + 1,
    ),
  },
);
const steps = fc.oneof(
  { weight: 3, arbitrary: fc.record({ unit: fc.array(sizes, { maxLength: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ flushBytes: fc.constantFrom(1, 20_000, 1_000_000) }) },
);

function same(a: RevisionRecord, b: RevisionRecord): boolean {
  const sameHead = a.main === b.main && a.sub === b.sub && a.tombstone === b.tombstone;
  return sameHead && Buffer.compare(a.keyValue, b.keyValue) === 0;
}

describe("pending revisions", () => {
  it("come back as they were put, from reads, passes and blocks, whatever was flushed before and after", () => {
    const property = fc.property(fc.array(steps, { maxLength: 25 }), (plan) => {
      const pending = new PendingUnits();
      let model: RevisionRecord[] = [];
      const given: [Uint8Array, Uint8Array][] = [];
      plan.forEach((step, at) => {
        const index = at + 1;
        if ("unit" in step) {
          step.unit.forEach((size, sub) => {
            const keyValue = new Uint8Array(size).fill(index * 31 + sub);
            const tombstone = size === 1;
            pending.append(index, sub, tombstone, keyValue);
            given.push([keyValue, Uint8Array.from(keyValue)]);
            model.push({ main: index, sub, tombstone, keyValue: Uint8Array.from(keyValue) });
          });
          pending.seal({ index, term: 1 });
        } else {
          const group = pending.firstGroup(index, step.flushBytes);
          if (group !== undefined) {
            const flushed = new RevisionColumns();
            flushed.appendFirst(pending.revisions, group.recordCount);
            const stored = [...packBlocks(flushed)].flatMap((block) => block.records());
            expect(stored.length).toBe(group.recordCount);
            expect(stored.every((record, position) => same(record, model[position]!))).toBe(true);
            pending.release(group);
            model = model.slice(group.recordCount);
          }
        }
        const walked: RevisionRecord[] = [];
        pending.walk(0, (record) => walked.push(record) > 0);
        expect(walked.length).toBe(model.length);
        for (const [position, record] of model.entries()) {
          const read = pending.read(record.main, record.sub)!;
          expect(same(walked[position]!, record) && Buffer.compare(read, record.keyValue) === 0).toBe(true);
          if (given.length < 2_000) given.push([read, record.keyValue]);
        }
        expect(pending.read(index + 1, 0)).toBeUndefined();
      });
      // Neither what was handed over nor what was read was written to since.
      for (const [kept, as] of given) expect(Buffer.compare(kept, as)).toBe(0);
    });
    fc.assert(property, { numRuns: 60 });
  });
});
