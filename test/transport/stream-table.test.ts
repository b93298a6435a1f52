/** The table of a connection's streams against a Map. If it fails, frames reach the wrong call or none. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Stream } from "../../src/transport/http2/stream.js";
import { StreamTable } from "../../src/transport/http2/stream-table.js";

const make = (id: number): Stream => new Stream(id, 65_535, 65_535);

class Both {
  readonly table = new StreamTable();
  readonly model = new Map<number, Stream>();

  add(id: number): void {
    if (this.model.has(id)) return;
    const stream = make(id);
    this.table.add(stream);
    this.model.set(id, stream);
  }

  delete(id: number): void {
    this.table.delete(id);
    this.model.delete(id);
  }

  check(absent: Iterable<number> = []): void {
    expect(this.table.size).toBe(this.model.size);
    expect(this.table.list()).toEqual([...this.model.values()].sort((a, b) => a.id - b.id));
    for (const [id, stream] of this.model) expect(this.table.get(id)).toBe(stream);
    for (const id of absent) if (!this.model.has(id)) expect(this.table.get(id)).toBeUndefined();
  }
}

describe("holds what was added and not deleted", () => {
  test("whatever the ids, however they collide", () => {
    // Few homes in a small table: ids that differ by a multiple of its size stand in each other's way.
    const id = fc.oneof(
      fc.integer({ min: 0, max: 40 }).map((n) => 2 * n + 1),
      fc
        .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 8 }))
        .map(([a, b]) => 2 * a + 32 * b + 1),
      fc.constantFrom(0x7fff_ffff, 0x7fff_fffd, 0x7fff_ffdf),
    );
    const step = fc.record({ adds: fc.boolean(), id });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const both = new Both();
        for (const { adds, id: streamId } of steps) {
          if (adds) both.add(streamId);
          else both.delete(streamId);
          both.check(steps.map((one) => one.id));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("the example in the source: the stream behind a gap moves up, around the end of the table as well", () => {
    const both = new Both();
    for (const id of [1, 3, 5, 33, 31, 63]) both.add(id);
    both.check();
    // 63 belongs to the last place, as 31 does, and was put behind the first ones.
    both.delete(31);
    both.check([31]);
    both.delete(1);
    both.check([1, 31]);
  });

  test("one stream lives on while a hundred thousand short ones come and go", () => {
    const both = new Both();
    both.add(1);
    for (let id = 3; id < 200_003; id += 2) {
      both.add(id);
      if (id > 21) both.delete(id - 20);
    }
    both.check([5, 199_981]);
  });

  test("it grows for many, and serves on when they are all gone", () => {
    const both = new Both();
    const ids = Array.from({ length: 5_000 }, (_, at) => 2 * at + 1);
    for (const id of ids) both.add(id);
    both.check();
    for (const id of ids) both.delete(id);
    both.check(ids.slice(0, 50));
    both.add(10_001);
    both.check([1]);
  });
});

test("deleting what is not there changes nothing", () => {
  const both = new Both();
  both.add(7);
  both.delete(9);
  both.delete(39);
  both.check([9, 39]);
});
