import { expect, test } from "vitest";
import { SealedUnits } from "../../../src/storage/leveldb/sealed-units.js";

const small = { recordCount: 1, recordBytes: 90, bytes: 100 };

function threeUnits(): SealedUnits {
  const units = new SealedUnits();
  units.change("a", "x");
  units.seal({ index: 7, term: 2 }, small);
  units.change("b", undefined);
  units.change("a", "y");
  units.seal({ index: 8, term: 2 }, { recordCount: 0, recordBytes: 0, bytes: 3 });
  units.seal({ index: 9, term: 3 }, small);
  return units;
}

test("a group ends at the durable index, with the last value of each key", () => {
  const units = threeUnits();
  expect(units.firstGroup(6, 1_000)).toBeUndefined();
  expect(units.firstGroup(8, 1_000)).toEqual({
    ...{ applied: { index: 8, term: 2 }, unitCount: 2, recordCount: 1, recordBytes: 90, bytes: 103 },
    state: new Map([
      ["a", "y"],
      ["b", undefined],
    ]),
  });
});

test("a group ends before it is too large, but has one unit at least", () => {
  const units = threeUnits();
  expect(units.firstGroup(9, 102)?.unitCount).toBe(1);
  expect(units.firstGroup(9, 10)?.unitCount).toBe(1);
  expect(units.firstGroup(9, 103)?.unitCount).toBe(2);
});

test("what a released group changed is gone, and what was changed since belongs to the next unit", () => {
  const units = threeUnits();
  units.change("c", "open");
  units.release(1);
  expect(units.firstGroup(8, 1_000)?.state).toEqual(
    new Map([
      ["b", undefined],
      ["a", "y"],
    ]),
  );
  units.release(2);
  expect(units.firstGroup(100, 1_000)).toBeUndefined();
  units.seal({ index: 10, term: 3 }, small);
  expect(units.firstGroup(10, 1_000)?.state).toEqual(new Map([["c", "open"]]));
  expect(() => units.seal({ index: 9, term: 3 }, small)).toThrow("order of the log");
});
