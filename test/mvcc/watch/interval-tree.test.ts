/** Were a range missed here, its watch would never hear of a key. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { IntervalTree } from "../../../src/mvcc/watch/interval-tree.js";

const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "\xff"), minLength: 1, maxLength: 3 });
const interval = fc.tuple(text, fc.option(text, { nil: undefined }));

test("finds just what a list of all intervals finds, whatever came and went", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), interval), { maxLength: 80, size: "max" }),
      fc.array(text),
      (steps, keys) => {
        const tree = new IntervalTree<string>();
        const model = new Map<string, readonly [string, string | undefined]>();
        for (const [adds, [start, end]] of steps) {
          const name = JSON.stringify([start, end]);
          expect(tree.get(start, end)).toBe(model.has(name) ? name : undefined);
          if (adds && !model.has(name)) {
            tree.add(start, end, name);
            model.set(name, [start, end]);
          } else if (!adds && model.has(name)) {
            tree.remove(start, end);
            model.delete(name);
          }
        }
        expect(tree.size).toBe(model.size);
        for (const key of keys) {
          const found: string[] = [];
          tree.containing(key, (name) => found.push(name));
          const expected = [...model].filter(
            ([, [start, end]]) => start <= key && (end === undefined || key < end),
          );
          expect(found.sort()).toEqual(expected.map(([name]) => name).sort());
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("a look-up visits a small part of many intervals", () => {
  const tree = new IntervalTree<number>();
  const count = 50_000;
  for (let n = 0; n < count; n++)
    tree.add(`${String(n).padStart(6, "0")}/`, `${String(n).padStart(6, "0")}0`, n);
  const microsEach = (): number => {
    const started = performance.now();
    for (let n = 0; n < 2_000; n++)
      tree.containing(`${String((n * 17) % count).padStart(6, "0")}/k`, () => {});
    return ((performance.now() - started) * 1_000) / 2_000;
  };
  microsEach();
  // Looking at all of them would take a hundred times as long.
  expect(Math.min(microsEach(), microsEach(), microsEach())).toBeLessThan(100);
});
