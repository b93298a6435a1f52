import { expect, test } from "vitest";
import { Scheduler } from "./scheduler.js";

function pausedRun(): {
  scheduler: Scheduler;
  owner: { alive: boolean; pausedUntilUs: number };
  seen: string[];
} {
  const scheduler = new Scheduler(() => {});
  const owner = { alive: true, pausedUntilUs: 1_000 };
  const seen: string[] = [];
  const note = (text: string) => () => {
    seen.push(`${text} at ${scheduler.nowUs}`);
  };
  scheduler.after(100, owner, note("timer"));
  scheduler.after(200, undefined, () => scheduler.as(owner, note("message")));
  scheduler.after(700, owner, note("later timer"));
  scheduler.after(300, undefined, note("another"));
  return { scheduler, owner, seen };
}

test("a paused process does everything when its pause ends, in the order in which it was due", () => {
  const { scheduler, seen } = pausedRun();
  scheduler.run(2_000, () => false);
  expect(seen).toEqual(["another at 300", "timer at 1000", "message at 1000", "later timer at 1000"]);
});

test("a process that is woken early does at once what waited, and the rest in its time", () => {
  const { scheduler, owner, seen } = pausedRun();
  scheduler.run(400, () => false);
  owner.pausedUntilUs = 0;
  scheduler.wake(owner);
  scheduler.run(2_000, () => false);
  expect(seen).toEqual(["another at 300", "timer at 400", "message at 400", "later timer at 700"]);
});
