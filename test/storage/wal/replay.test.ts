/** If these fail, a member starts with a log that is not the one it had promised to the others. */
import { describe, expect, it } from "vitest";
import { DamageError } from "../../../src/base/errors.js";
import { contents, entry, MemoryLog, metadata, replay } from "./memory-log.js";

const voters = {
  voters: [1n, 2n, 3n],
  learners: [4n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
const state = (term: number, commit: number, vote = 1n) => ({ term, vote, commit });

function filled(): MemoryLog {
  const log = new MemoryLog(16 * 1024);
  log.append([{ entries: [entry(1, 1), entry(1, 2), entry(1, 3)], hardState: state(1, 2) }], { sync: true });
  return log;
}

describe("what a log says", () => {
  it("begins empty, with a mark at index 0", () => {
    const { recovered } = replay(new MemoryLog(4096).segments);
    expect(recovered).toMatchObject({
      entries: [],
      hardState: { term: 0, vote: 0n, commit: 0 },
      mark: { index: 0, term: 0 },
    });
    expect([...recovered.metadata]).toEqual([...metadata]);
  });

  it("holds entries of every type, with and without data, and the newest hard state", () => {
    const log = filled();
    const change = { term: 2, index: 4, type: 1 as const, data: Uint8Array.of(1, 2) };
    log.append(
      [{ entries: [change] }, { entries: [entry(2, 5, "")], hardState: state(2, 3, 0xffff_ffff_ffff_fff1n) }],
      { sync: true },
    );
    const { recovered } = replay(log.segments);
    expect(recovered.entries.map((e) => [e.term, e.index, e.type, e.data.length])).toEqual([
      [1, 1, 0, 7],
      [1, 2, 0, 7],
      [1, 3, 0, 7],
      [2, 4, 1, 2],
      [2, 5, 0, 0],
    ]);
    expect(recovered.hardState).toEqual(state(2, 3, 0xffff_ffff_ffff_fff1n));
  });

  it("lets a later entry replace the one of the same index and all after it", () => {
    const log = filled();
    log.append([{ entries: [entry(1, 4), entry(1, 5)] }], { sync: true });
    log.append([{ entries: [entry(3, 3, "new")], hardState: state(3, 2) }], { sync: true });
    const { recovered } = replay(log.segments);
    expect(contents(recovered).map((e) => [e.term, e.index, e.data])).toEqual([
      [1, 1, "value 1"],
      [1, 2, "value 2"],
      [3, 3, "new"],
    ]);
  });

  it("begins after the newest mark at or below the index that the store has", () => {
    const log = filled();
    log.append([{ entries: [], mark: { index: 1, term: 1, confState: voters } }], { sync: true });
    log.append([{ entries: [entry(1, 4)], hardState: state(1, 4) }], { sync: true });
    log.append([{ entries: [], mark: { index: 4, term: 1, confState: voters } }], { sync: true });
    const marks = [0, 1, 2, 3, 4, 9].map((from) => {
      const { recovered } = replay(log.segments, from);
      return [from, recovered.mark.index, recovered.entries.map((e) => e.index)];
    });
    expect(marks).toEqual([
      [0, 0, [1, 2, 3, 4]],
      [1, 1, [2, 3, 4]],
      [2, 1, [2, 3, 4]],
      [3, 1, [2, 3, 4]],
      [4, 4, []],
      [9, 4, []],
    ]);
    expect(replay(log.segments, 4).recovered.mark.confState).toEqual(voters);
  });

  it("forgets its entries when a snapshot from the leader replaced them", () => {
    const log = filled();
    log.append(
      [
        {
          entries: [entry(4, 101)],
          hardState: state(4, 100),
          mark: { index: 100, term: 4, confState: voters },
        },
      ],
      { sync: true },
    );
    const { recovered, end } = replay(log.segments, 100);
    expect(contents(recovered).map((e) => e.index)).toEqual([101]);
    expect(recovered.mark.index).toBe(100);
    expect(end.lastIndex).toBe(101);
    expect(() => replay(log.segments, 3)).toThrow(
      /snapshot at index 100 replaced it, and the store ends at 3/,
    );
  });

  it("forgets entries of another history when a snapshot contradicts their term", () => {
    const log = filled();
    log.append([{ entries: [], hardState: state(5, 2), mark: { index: 2, term: 5, confState: voters } }], {
      sync: true,
    });
    expect(replay(log.segments, 2).recovered).toMatchObject({ entries: [], mark: { index: 2, term: 5 } });
  });

  it("raises the term where a crash kept the entries of a new term and not the hard state behind them", () => {
    const log = filled();
    log.append([{ entries: [entry(7, 4)] }], { sync: true });
    expect(replay(log.segments).recovered.hardState).toEqual({ term: 7, vote: 0n, commit: 2 });
  });

  it("is refused where entries that were committed are not there", () => {
    const log = filled();
    log.append([{ entries: [], hardState: state(1, 4) }], { sync: true });
    expect(() => replay(log.segments)).toThrow(DamageError);
    expect(() => replay(log.segments)).toThrow(/up to 4 were committed, and it ends at 3/);
    expect(() => replay(log.segments, 3)).toThrow(DamageError);
  });

  it("goes on where the store holds the committed entries that a crash took from it", () => {
    const log = filled();
    log.append([{ entries: [], hardState: state(1, 4) }], { sync: true });
    const { recovered } = replay(log.segments, 4);
    expect(recovered.entries.map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(recovered.hardState.commit).toBe(4);
  });

  it("is refused where it begins after what the store holds", () => {
    const log = new MemoryLog(1024);
    for (let index = 1; index < 60; index++) {
      log.append([{ entries: [entry(1, index)], hardState: state(1, index) }], { sync: true });
      if (index === 50)
        log.append([{ entries: [], mark: { index: 50, term: 1, confState: voters } }], { sync: true });
    }
    const newest = log.segments.filter((segment) => segment.ref.firstIndex >= 30);
    expect(replay(newest, 50).recovered.entries.map((e) => e.index)).toEqual([
      51, 52, 53, 54, 55, 56, 57, 58, 59,
    ]);
    expect(() => replay(newest, 20)).toThrow(/the store ends at 20/);
  });
});
