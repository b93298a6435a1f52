/** The failpoint by which etcd's robustness tests stop a member in the middle of an answer to a watch. */
import { afterEach, expect, test } from "vitest";
import { watchMethods } from "../../src/api/watch.js";
import { concatBytes } from "../../src/base/bytes.js";
import { failpoints } from "../../src/base/failpoint.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import { WatchResponse } from "../../src/gen/etcdserver.js";
import type { Member } from "../../src/member/contract.js";
import type { WatchRequest } from "../../src/mvcc/watch/codec.js";
import { nodeClock } from "../../src/server/node-clock.js";
import type { BidiMethod, CallContext } from "../../src/transport/rpc.js";
import { put } from "../mvcc/fakes.js";
import { WatchBench, watchCreate } from "../mvcc/watch/fixture.js";

type WatchMethod = BidiMethod<WatchRequest, Uint8Array | readonly Uint8Array[]>;

afterEach(() => {
  failpoints.beforeSendWatchResponse = undefined;
});

test("beforeSendWatchResponse lies before each answer with events, and before none of the others", async () => {
  const bench = new WatchBench();
  const parts: Partial<Member> = {
    watches: { open: (outlet) => bench.hub.open(outlet) },
    header: (revision = 1) => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 3 }),
  };
  const options = { progressNotifyMs: 600_000, fragmentBytes: 1 << 20 };
  const deps = { clock: nodeClock, registry: new MetricRegistry(), random: () => 0 };
  const [method] = watchMethods(parts as Member, options, deps) as readonly WatchMethod[];
  const order: string[] = [];
  failpoints.beforeSendWatchResponse = () => {
    order.push("failpoint");
    return undefined;
  };
  let cancel = (): void => {};
  const call: Partial<CallContext> = {
    cancelled: false,
    onCancel: (listener) => {
      cancel = listener;
    },
  };
  async function* requests(): AsyncGenerator<WatchRequest> {
    yield { kind: "create", create: watchCreate("a") };
  }
  const sink = {
    write: (answer: Uint8Array | readonly Uint8Array[]) => {
      const { created, events } = WatchResponse.decode(concatBytes([answer].flat()));
      order.push(created ? "created" : `${events.length} event`);
      return true;
    },
    drained: async () => {},
  };
  const over = method!.handle(requests(), call as CallContext, sink);
  await new Promise((resolve) => setImmediate(resolve));
  for (const value of ["1", "2"]) {
    bench.store.put(put("a", value));
    bench.settle();
  }
  expect(order).toEqual(["created", "failpoint", "1 event", "failpoint", "1 event"]);
  cancel();
  await over;
});
