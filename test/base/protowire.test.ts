/** If this fails, a request is copied twice on its way into the log, and thrice in a cluster. */
import { describe, expect, it } from "vitest";
import { ProtoReader, ProtoWriter, varintBigSize } from "../../src/base/protowire.js";

describe("a writer with memory of the exact size", () => {
  it.each([0n, 127n, 2n ** 53n, 2n ** 56n - 1n, 2n ** 56n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])(
    "does not grow for the id %d",
    (id) => {
      const memory = new Uint8Array(1 + varintBigSize(id));
      const written = new ProtoWriter(memory).varint(8).varintBig(id).finish();
      expect(written).toBe(memory);
      const reader = new ProtoReader(written);
      expect([reader.tag(), reader.uint64Big(), reader.more]).toEqual([8, id, false]);
    },
  );
});
