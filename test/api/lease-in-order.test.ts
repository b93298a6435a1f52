import { expect, test } from "vitest";
import { AnswerInRow, answerInOrder, type Row } from "../../src/api/in-order.js";
import type { ResponseSink } from "../../src/transport/rpc.js";

async function* numbers(count: number): AsyncIterable<number> {
  for (let at = 0; at < count; at++) yield at;
}

function later<Value>(value: Value, ms: number): Promise<Value> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}

class NumberAnswer extends AnswerInRow<number> {}

/** Work as the server does it, made of what is easily written. */
function beginning(work: (request: number) => Promise<number>): (request: number, row: Row) => void {
  return (request, row) => {
    const answer = new NumberAnswer(row);
    work(request).then(
      (value) => answer.resolve(value),
      (error: unknown) => answer.reject(error),
    );
  };
}

/** A client's end: `take` may say when there is room again. */
function sinkOf(take: (answer: number) => Promise<void> | undefined): ResponseSink<NumberAnswer> {
  let drained: Promise<void> | undefined;
  return {
    write: (answer) => {
      drained = take(answer.outcome!);
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
  await answerInOrder(requests, { ahead }, { begin: beginning(work), sink });
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
    const options = { begin: beginning(work), sink: sinkOf((answer) => void give(answer)) };
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
      begin: beginning(async (at) => {
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
    begin: beginning(async (at) => at),
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
      begin: beginning(async (at) => {
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
      begin: beginning(async (at) => at),
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
