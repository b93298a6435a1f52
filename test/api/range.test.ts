/** If this fails, clients that give up on reading everything leave the server reading it, all of them at once. */
import { afterEach, expect, test } from "vitest";
import { rangeInSlices, rangeStreamMethod } from "../../src/api/range.js";
import { failpoints } from "../../src/base/failpoint.js";
import { limits } from "../../src/base/limits.js";
import type { Member } from "../../src/member/contract.js";
import type { RangeRequest } from "../../src/mvcc/requests.js";
import type { CallContext } from "../../src/transport/rpc.js";
import { freshStore, put, range } from "../mvcc/fakes.js";

afterEach(() => {
  failpoints.beforeRangeStreamChunk = undefined;
});

function storeOfSlices(count: number) {
  const { store } = freshStore();
  for (let number = 0; number < count * limits.sliceKeysMax; number++)
    store.put(put(`k${String(number).padStart(6, "0")}`, "v"));
  return store;
}

test("a long range whose call is cancelled is not read to its end", async () => {
  const store = storeOfSlices(3);
  let slices = 0;
  const member = {
    header: (revision: number) => ({ clusterId: 1n, memberId: 2n, raftTerm: 3, revision }),
    openRange: (request: RangeRequest) => {
      const cursor = store.openRange(request);
      const nextInto = cursor.nextInto.bind(cursor);
      cursor.nextInto = (sink) => {
        slices++;
        return nextInto(sink);
      };
      return cursor;
    },
  } as unknown as Member;
  const call = { cancelled: false };
  const answer = rangeInSlices(member, range("k", "l"), call);
  call.cancelled = true;
  await expect(answer).rejects.toMatchObject({ message: "context canceled" });
  expect(slices).toBe(1);
  call.cancelled = false;
  await rangeInSlices(member, range("k", "l"), call);
  expect(slices).toBe(4);
});

test("beforeRangeStreamChunk lies before each chunk of a stream", async () => {
  const store = storeOfSlices(2);
  const member = {
    header: (revision: number) => ({ clusterId: 1n, memberId: 2n, raftTerm: 3, revision }),
    openRange: (request: RangeRequest) => store.openRange(request),
  } as unknown as Member;
  const order: string[] = [];
  failpoints.beforeRangeStreamChunk = () => {
    order.push("failpoint");
    return undefined;
  };
  const sink = {
    write: () => {
      order.push("chunk");
      return true;
    },
    drained: async () => {},
  };
  const message = { ...range("k", "l"), serializable: true };
  const call = { cancelled: false } as CallContext;
  await rangeStreamMethod(member).handle({ message, bytes: new Uint8Array(0) }, call, sink);
  expect(order).toEqual(["failpoint", "chunk", "failpoint", "chunk"]);
});
