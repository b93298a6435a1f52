/** What the Watch service writes to a client that does not read: what it holds for such clients must stay small. */
import { expect, test } from "vitest";
import { watchMethods } from "../../src/api/watch.js";
import { concatBytes } from "../../src/base/bytes.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import { WatchResponse } from "../../src/gen/etcdserver.js";
import type { Member } from "../../src/member/contract.js";
import type { WatchRequest } from "../../src/mvcc/watch/codec.js";
import { nodeClock } from "../../src/server/node-clock.js";
import type { BidiMethod, CallContext } from "../../src/transport/rpc.js";
import { put } from "../mvcc/fakes.js";
import { WatchBench, watchCreate } from "../mvcc/watch/fixture.js";

const create = (key: string, rangeEnd = ""): WatchRequest => ({
  kind: "create",
  create: watchCreate(key, { rangeEnd }),
});

/** One call of the service over `bench`; the answers are what was written, and `room` how many more fit. */
function call(bench: WatchBench) {
  const member = {
    header: (revision = bench.store.revision) => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 3 }),
    watches: { open: (outlet: Parameters<typeof bench.hub.open>[0]) => bench.hub.open(outlet) },
  } as unknown as Member;
  const deps = { clock: nodeClock, registry: new MetricRegistry(), random: () => 0 };
  const [method] = watchMethods(member, { progressNotifyMs: 60_000, fragmentBytes: 1 << 20 }, deps);
  const written: WatchResponse[] = [];
  const state = { room: Number.POSITIVE_INFINITY, drain: () => {} };
  const sink = {
    write: (parts: Uint8Array | readonly Uint8Array[]) => {
      written.push(WatchResponse.decode(concatBytes([parts].flat())));
      return --state.room > 0;
    },
    drained: () =>
      new Promise<void>((resolve) => {
        state.drain = () => {
          state.room = Number.POSITIVE_INFINITY;
          resolve();
        };
      }),
  };
  const requests: WatchRequest[] = [];
  let wake = (): void => {};
  async function* incoming(): AsyncIterable<WatchRequest> {
    for (;;) {
      const next = requests.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  const { handle } = method as BidiMethod<WatchRequest, Uint8Array | readonly Uint8Array[]>;
  void handle(incoming(), {} as CallContext, sink);
  const ask = async (request: WatchRequest): Promise<void> => {
    requests.push(request);
    wake();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { written, state, ask };
}

// The simulator's seed 21152.
test.each([
  ["a watch is made", create("b")],
  ["a watch is refused", create("b", "a")],
  ["a watch is canceled", { kind: "cancel", watchId: 1 }],
] as const)("where the answer that %s fills the way, no event follows it", async (_what, request) => {
  const bench = new WatchBench();
  const { written, state, ask } = call(bench);
  await ask(create("a"));
  await ask(create("a"));
  state.room = 1;
  await ask(request as WatchRequest);
  expect(written).toHaveLength(3);
  bench.store.put(put("a", "1"));
  bench.settle();
  expect(written).toHaveLength(3);
  state.drain();
  await new Promise((resolve) => setImmediate(resolve));
  bench.settle();
  const told = written.slice(3).map(({ watchId, events }) => `${watchId}: ${events.length}`);
  expect(told.sort()).toEqual(request.kind === "cancel" ? ["0: 1"] : ["0: 1", "1: 1"]);
});
