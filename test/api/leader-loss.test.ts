/** A client that asked to be told of a lost leader must not hang on a member that is cut off, nor be thrown off early. */
import { expect, test } from "vitest";
import { LeaderLoss } from "../../src/api/leader-loss.js";
import { isStoreError } from "../../src/base/errors.js";
import type { Clock } from "../../src/ports/clock.js";
import type { CallContext, ResponseSink } from "../../src/transport/rpc.js";

class Bench {
  readonly member = { leader: 1n };
  look: (() => void) | undefined;
  readonly loss: LeaderLoss;

  constructor() {
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      every: (intervalMs, fire) => {
        expect(intervalMs).toBe(1_000);
        this.look = fire;
        return () => {
          this.look = undefined;
        };
      },
      after: () => () => {},
    };
    this.loss = new LeaderLoss({ electionMs: 1_000 }, { member: this.member, clock });
  }
}

const call: CallContext = {
  metadata: () => undefined,
  peer: "",
  certificateCommonName: undefined,
  timeoutMs: undefined,
  onCancel: () => {},
  cancelled: false,
};
const never = new Promise<never>(() => {});
const sink: ResponseSink<unknown> = { write: () => true, drained: () => never };
const silent: AsyncIterable<unknown> = { [Symbol.asyncIterator]: () => ({ next: () => never }) };

test.each<[string, Parameters<LeaderLoss["run"]>[2]]>([
  [
    "waits for requests",
    async (stream) => {
      for await (const _ of stream.requests(silent)) expect.unreachable();
    },
  ],
  [
    "takes requests as they come",
    (stream) => stream.requests(silent).takeEach({ take: () => expect.unreachable() }),
  ],
  ["waits for room", (stream) => stream.drained()],
  ["waits for the end of the call", (stream) => new Promise((resolve) => stream.onCancel(resolve))],
])("a stream that %s ends at the third look without a leader", async (_what, handle) => {
  const bench = new Bench();
  const done = bench.loss.run(call, sink, handle).then(
    () => undefined,
    (error: unknown) => error,
  );
  let ended = false;
  void done.then(() => {
    ended = true;
  });
  const look = async (leader: bigint): Promise<void> => {
    bench.member.leader = leader;
    bench.look?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  // A leader that is back in time begins the count anew.
  for (const leader of [0n, 0n, 2n, 0n, 0n]) await look(leader);
  expect(ended).toBe(false);
  await look(0n);
  expect(isStoreError(await done, "NoLeader")).toBe(true);
  expect(bench.look).toBeUndefined();
});

test("a stream that ends by itself is looked after no longer", async () => {
  const bench = new Bench();
  const requests = (async function* () {
    yield 1;
    yield 2;
  })();
  const seen: unknown[] = [];
  await bench.loss.run(call, sink, async (stream) => {
    expect(bench.look).toBeDefined();
    for await (const request of stream.requests(requests)) seen.push(request);
    expect([stream.write("x"), stream.cancelled]).toEqual([true, false]);
  });
  expect(seen).toEqual([1, 2]);
  expect(bench.look).toBeUndefined();
});
