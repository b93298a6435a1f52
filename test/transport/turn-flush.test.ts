/** What connections are given in one turn of the event loop leaves at its end, or before it where somebody asks for that. */
import { expect, test } from "vitest";
import { flushAtEndOfTurn, flushNow } from "../../src/transport/http2/turn-flush.js";

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("each connection is flushed once, at the end of the turn", async () => {
  const flushed: string[] = [];
  flushAtEndOfTurn({ flush: () => flushed.push("a") });
  flushAtEndOfTurn({ flush: () => flushed.push("b") });
  expect(flushed).toEqual([]);
  await endOfTurn();
  expect(flushed).toEqual(["a", "b"]);
});

test("flushed at once, it is not flushed again; what comes after it leaves at the end", async () => {
  const flushed: string[] = [];
  flushAtEndOfTurn({ flush: () => flushed.push("a") });
  flushNow();
  expect(flushed).toEqual(["a"]);
  flushAtEndOfTurn({ flush: () => flushed.push("b") });
  expect(flushed).toEqual(["a"]);
  await endOfTurn();
  expect(flushed).toEqual(["a", "b"]);
});

test("what a flush leads to leaves in the same turn", async () => {
  const flushed: string[] = [];
  flushAtEndOfTurn({ flush: () => flushAtEndOfTurn({ flush: () => flushed.push("later") }) });
  await endOfTurn();
  expect(flushed).toEqual(["later"]);
});
