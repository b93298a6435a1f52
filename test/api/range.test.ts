/** If this fails, clients that give up on reading everything leave the server reading it, all of them at once. */
import { expect, test } from "vitest";
import { rangeInSlices } from "../../src/api/range.js";
import { limits } from "../../src/base/limits.js";
import type { Member } from "../../src/member/contract.js";
import type { RangeRequest } from "../../src/mvcc/requests.js";
import { freshStore, put, range } from "../mvcc/fakes.js";

test("a long range whose call is cancelled is not read to its end", async () => {
  const { store } = freshStore();
  for (let number = 0; number < 3 * limits.sliceKeysMax; number++)
    store.put(put(`k${String(number).padStart(6, "0")}`, "v"));
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
