/** Who is told first after a turn: those who watch, or those who wait for an answer. */
import { expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { MemberWatches } from "../../src/member/watches.js";
import { put } from "../mvcc/fakes.js";
import { WatchBench } from "../mvcc/watch/fixture.js";

/** What happens in each turn after one put, with `count` watches of its key. */
function turnsWith(count: number): () => readonly string[] {
  const bench = new WatchBench();
  const client = bench.client();
  for (let made = 0; made < count; made++) client.create("a");
  const happened: string[] = [];
  const watches = new MemberWatches({
    hub: bench.hub,
    flush: () => happened.push(`flush after ${client.eventBytes.length} events`),
    fail: (error) => {
      throw error;
    },
  });
  return () => {
    happened.length = 0;
    client.eventBytes.length = 0;
    bench.store.put(put("a", "v"));
    watches.deliver(() => happened.push(`answer after ${client.eventBytes.length} events`));
    expect(client.eventBytes).toHaveLength(count);
    return [...happened];
  };
}

const { watchesToldFirstMax } = limits;

test("the events of few watches leave before the answer is given", () => {
  const turn = turnsWith(watchesToldFirstMax);
  turn();
  const events = watchesToldFirstMax;
  expect(turn()).toEqual([`flush after ${events} events`, `answer after ${events} events`]);
});

test("where the turn before told many, the answer leaves before their events", () => {
  const turn = turnsWith(watchesToldFirstMax + 1);
  const events = watchesToldFirstMax + 1;
  expect(turn()).toEqual([`flush after ${events} events`, `answer after ${events} events`]);
  expect(turn()).toEqual(["answer after 0 events", "flush after 0 events"]);
});
