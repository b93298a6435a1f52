import { expect, test } from "vitest";
import { answerInOrder } from "../../src/api/in-order.js";
import { Later } from "../../src/base/later.js";
import type { ResponseSink } from "../../src/transport/rpc.js";

async function* numbers(count: number): AsyncIterable<number> {
  for (let at = 0; at < count; at++) yield at;
}

function later<Value>(value: Value, ms: number): Promise<Value> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}

/** Work as the server does it, made of what is easily written. */
function asLater(work: (request: number) => Promise<number>): (request: number) => Later<number> {
  return (request) => {
    const answer = new Later<number>();
    work(request).then(
      (value) => answer.resolve(value),
      (error: unknown) => answer.reject(error),
    );
    return answer;
  };
}

/** A client's end: `take` may say when there is room again. */
function sinkOf(take: (answer: number) => Promise<void> | undefined): ResponseSink<number> {
  let drained: Promise<void> | undefined;
  return {
    write: (answer) => {
      drained = take(answer);
      return drained === undefined;
    },
    drained: () => drained ?? Promise.resolve(),
  };
}

async function answers(
  requests: AsyncIterable<number>,
  ahead: number,
  work: (request: number) => Promise<number>,
): Promise<number[]> {
  const given: number[] = [];
  const sink = sinkOf((answer) => void given.push(answer));
  await answerInOrder(requests, { ahead }, { work: asLater(work), sink });
  return given;
}

test("answers come in the order of the requests, however long each takes", async () => {
  const given = await answers(numbers(20), 8, (at) => later(at, (at * 7) % 5));
  expect(given).toEqual(Array.from({ length: 20 }, (_, at) => at));
});

test("no more are under way than the bound says, and as many as it says", async () => {
  let underWay = 0;
  let most = 0;
  await answers(numbers(30), 4, async (at) => {
    most = Math.max(most, ++underWay);
    await later(at, 2);
    return underWay--;
  });
  expect(most).toBe(4);
});

test("an answer does not wait for the next request", async () => {
  async function* oneThenSilence(): AsyncIterable<number> {
    yield 1;
    await new Promise(() => {});
  }
  const first = new Promise<number>((give) => {
    const work = async (at: number): Promise<number> => at;
    const options = { work: asLater(work), sink: sinkOf((answer) => void give(answer)) };
    void answerInOrder(oneThenSilence(), { ahead: 4 }, options);
  });
  expect(await first).toBe(1);
});

test("a client that is behind is given the next answer when it has room, and requests wait for it", async () => {
  let makeRoom = (): void => {};
  let started = 0;
  const given: number[] = [];
  const run = answerInOrder(
    numbers(6),
    { ahead: 2 },
    {
      work: asLater(async (at) => {
        started++;
        return at;
      }),
      sink: sinkOf((at) => {
        given.push(at);
        if (at !== 1) return undefined;
        return new Promise((resolve) => {
          makeRoom = resolve;
        });
      }),
    },
  );
  await later(undefined, 5);
  expect(given).toEqual([0, 1]);
  expect(started).toBe(4);
  makeRoom();
  await run;
  expect(given).toEqual([0, 1, 2, 3, 4, 5]);
});

test("a client that goes while it is behind ends it", async () => {
  const gone = {
    work: asLater(async (at) => at),
    sink: sinkOf(() => Promise.reject(new Error("client gone"))),
  };
  await expect(answerInOrder(numbers(3), { ahead: 8 }, gone)).rejects.toThrow("client gone");
});

test("a failure ends it in its turn; what came before it is answered, and nothing after it", async () => {
  const seen: number[] = [];
  const run = answerInOrder(
    numbers(5),
    { ahead: 8 },
    {
      work: asLater(async (at) => {
        if (at === 2) throw new Error("the third");
        return later(at, 3 - at);
      }),
      sink: sinkOf((at) => void seen.push(at)),
    },
  );
  await expect(run).rejects.toThrow("the third");
  await later(undefined, 5);
  expect(seen).toEqual([0, 1]);
});

test("an answer that can not be given ends it, and none comes after it", async () => {
  const given: number[] = [];
  const run = answerInOrder(
    numbers(4),
    { ahead: 8 },
    {
      work: asLater(async (at) => at),
      sink: sinkOf((at) => {
        if (at === 1) throw new Error("no bytes for it");
        given.push(at);
        return undefined;
      }),
    },
  );
  await expect(run).rejects.toThrow("no bytes for it");
  await later(undefined, 5);
  expect(given).toEqual([0]);
});

test("a source that breaks ends it too", async () => {
  async function* breaking(): AsyncIterable<number> {
    yield 1;
    throw new Error("connection lost");
  }
  await expect(answers(breaking(), 4, async (at) => at)).rejects.toThrow("connection lost");
});
