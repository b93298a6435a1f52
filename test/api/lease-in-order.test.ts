import { expect, test } from "vitest";
import { inOrder } from "../../src/api/in-order.js";

async function* numbers(count: number): AsyncIterable<number> {
  for (let at = 0; at < count; at++) yield at;
}

function later<Value>(value: Value, ms: number): Promise<Value> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

test("answers come in the order of the requests, however long each takes", async () => {
  const answers = inOrder(numbers(20), { ahead: 8 }, (at) => later(at, (at * 7) % 5));
  expect(await all(answers)).toEqual(Array.from({ length: 20 }, (_, at) => at));
});

test("no more are under way than the bound says, and as many as it says", async () => {
  let underWay = 0;
  let most = 0;
  await all(
    inOrder(numbers(30), { ahead: 4 }, async (at) => {
      most = Math.max(most, ++underWay);
      await later(at, 2);
      underWay--;
    }),
  );
  expect(most).toBe(4);
});

test("an answer does not wait for the next request", async () => {
  async function* oneThenSilence(): AsyncIterable<number> {
    yield 1;
    await new Promise(() => {});
  }
  for await (const answer of inOrder(oneThenSilence(), { ahead: 4 }, async (at) => at)) {
    expect(answer).toBe(1);
    break;
  }
});

test("a failure ends it in its turn; what came before it is answered", async () => {
  const seen: number[] = [];
  const answers = inOrder(numbers(5), { ahead: 8 }, async (at) => {
    if (at === 2) throw new Error("the third");
    return later(at, 3 - at);
  });
  const run = (async () => {
    for await (const answer of answers) seen.push(answer);
  })();
  await expect(run).rejects.toThrow("the third");
  expect(seen).toEqual([0, 1]);
});

test("a source that breaks ends it too", async () => {
  async function* breaking(): AsyncIterable<number> {
    yield 1;
    throw new Error("connection lost");
  }
  await expect(all(inOrder(breaking(), { ahead: 4 }, async (at) => at))).rejects.toThrow("connection lost");
});
