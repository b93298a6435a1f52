import fc from "fast-check";
import { expect, test } from "vitest";
import { type Sleeper, WakeQueue } from "../../src/lease/wake-queue.js";

const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), wakeMs: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("first" as const) }),
);

test("the queue always names one that is to be woken first, whoever came and left before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new WakeQueue<Sleeper>();
      const asleep = new Set<Sleeper>();
      const remove = (sleeper: Sleeper | undefined): void => {
        if (sleeper === undefined) return;
        queue.remove(sleeper);
        asleep.delete(sleeper);
        expect(sleeper.queuePosition).toBe(-1);
      };
      for (const action of steps) {
        if (action.kind === "add") {
          const sleeper = { wakeMs: action.wakeMs, queuePosition: -1 };
          queue.add(sleeper);
          asleep.add(sleeper);
        } else if (action.kind === "remove") remove([...asleep][action.at % Math.max(1, asleep.size)]);
        else remove(queue.first);
        expect(queue.size).toBe(asleep.size);
        const earliest = Math.min(...[...asleep].map(({ wakeMs }) => wakeMs));
        expect(queue.first?.wakeMs ?? Number.POSITIVE_INFINITY).toBe(earliest);
      }
    }),
  );
});

test("everyone leaves when the queue is cleared, and may come again", () => {
  const queue = new WakeQueue<Sleeper>();
  const sleepers = [3, 1, 2].map((wakeMs) => ({ wakeMs, queuePosition: -1 }));
  for (const sleeper of sleepers) queue.add(sleeper);
  queue.clear();
  expect(queue.first).toBeUndefined();
  for (const sleeper of sleepers) queue.add(sleeper);
  expect(queue.first).toBe(sleepers[1]);
});
