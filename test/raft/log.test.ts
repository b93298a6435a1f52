/** A log that gives a wrong term, page or entry makes members disagree about what was committed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entrySizeBytes } from "../../src/raft/codec.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import { RaftLog } from "../../src/raft/raft-log.js";
import type { Entry } from "../../src/raft/types.js";
import { UnstableLog } from "../../src/raft/unstable-log.js";
import { confState, entry, logOf, snapshotAt } from "./network.js";

const members = confState([1n]);
const noLimit = Number.POSITIVE_INFINITY;
const ids = (entries: readonly Entry[] | undefined): string[] | undefined =>
  entries?.map(({ term, index }) => `${term}/${index}`);

function raftLogOf(terms: readonly number[], applyingBytesMax = noLimit): RaftLog {
  return new RaftLog(logOf(members, terms), applyingBytesMax);
}

describe("the stable window", () => {
  function window(): MemoryLog {
    const log = new MemoryLog();
    log.applySnapshot(snapshotAt(3, 3, members));
    log.append([entry(4, 4), entry(5, 5), entry(6, 6)]);
    return log;
  }

  it("knows terms from the entry before its first to its last", () => {
    const log = window();
    expect([2, 3, 4, 5, 6, 7].map((index) => log.term(index))).toEqual([undefined, 3, 4, 5, 6, undefined]);
  });

  it("gives pages by size, and never an empty one", () => {
    const log = window();
    const size = entrySizeBytes(entry(4, 4));
    expect(ids(log.entries(4, 7, noLimit))).toEqual(["4/4", "5/5", "6/6"]);
    expect(ids(log.entries(4, 7, 2 * size))).toEqual(["4/4", "5/5"]);
    expect(ids(log.entries(4, 7, 3 * size - 1))).toEqual(["4/4", "5/5"]);
    expect(ids(log.entries(5, 7, 0))).toEqual(["5/5"]);
    expect(() => log.entries(3, 7, noLimit)).toThrow();
    expect(() => log.entries(4, 8, noLimit)).toThrow();
  });

  it.each([
    ["the same again", [entry(4, 4), entry(5, 5)], ["4/4", "5/5"]],
    ["a tail of a later term", [entry(6, 4), entry(6, 5)], ["6/4", "6/5"]],
    ["what lies below the window in part", [entry(3, 2), entry(3, 3), entry(9, 4)], ["9/4"]],
    ["what lies below the window wholly", [entry(3, 2), entry(3, 3)], ["4/4", "5/5", "6/6"]],
    ["a new end", [entry(6, 7)], ["4/4", "5/5", "6/6", "6/7"]],
    ["nothing", [], ["4/4", "5/5", "6/6"]],
  ])("appending %s", (_, added, expected) => {
    const log = window();
    log.append(added);
    expect(ids(log.entries(4, log.lastIndex() + 1, noLimit))).toEqual(expected);
  });

  it("refuses a gap: an entry that is missing was lost", () => {
    expect(() => window().append([entry(6, 8)])).toThrow(/missing/);
  });

  it("what was given out does not change when the tail is replaced", () => {
    const log = window();
    const given = log.entries(4, 7, noLimit);
    log.append([entry(7, 5)]);
    expect(ids(given)).toEqual(["4/4", "5/5", "6/6"]);
  });

  it("is cut up to an index, of which the term stays known", () => {
    const log = window();
    expect(log.compact(5)).toBe(true);
    expect([log.firstIndex(), log.lastIndex(), log.term(5), log.term(4)]).toEqual([6, 6, 5, undefined]);
    expect(log.compact(5)).toBe(false);
    expect(() => log.compact(7)).toThrow();
    log.append([entry(7, 7)]);
    expect(ids(log.entries(6, 8, noLimit))).toEqual(["6/6", "7/7"]);
  });

  it("takes newer snapshots only, whether made or received", () => {
    const log = window();
    expect(log.createSnapshot({ index: 3, term: 3, confState: members })).toBe(false);
    expect(log.createSnapshot({ index: 5, term: 5, confState: members })).toBe(true);
    expect(log.snapshot()?.metadata.index).toBe(5);
    expect(log.firstIndex()).toBe(4);
    expect(log.applySnapshot(snapshotAt(5, 5, members))).toBe(false);
    expect(log.applySnapshot(snapshotAt(9, 6, members))).toBe(true);
    expect([log.firstIndex(), log.lastIndex(), log.term(9)]).toEqual([10, 9, 6]);
  });

  it("has no snapshot to send when it was never cut", () => {
    expect(logOf(members, [1]).snapshot()).toBeUndefined();
  });
});

describe("the unstable part", () => {
  function unstable(): UnstableLog {
    const log = new UnstableLog(5);
    log.truncateAndAppend([entry(1, 5), entry(1, 6)]);
    return log;
  }

  it("hands each entry out once, and keeps it until it is durable", () => {
    const log = unstable();
    expect(ids(log.nextEntries())).toEqual(["1/5", "1/6"]);
    log.acceptInProgress();
    expect([log.hasNextEntries, log.nextEntries().length, log.count]).toEqual([false, 0, 2]);
    log.truncateAndAppend([entry(1, 7)]);
    expect(ids(log.nextEntries())).toEqual(["1/7"]);
    expect(ids(log.takeStable(6, 1))).toEqual(["1/5", "1/6"]);
    expect([log.firstEntryIndex, log.count, log.hasNextEntries]).toEqual([7, 1, true]);
  });

  it("hands replaced entries out again, and those before them not", () => {
    const log = unstable();
    log.acceptInProgress();
    log.truncateAndAppend([entry(2, 6), entry(2, 7)]);
    expect(ids(log.nextEntries())).toEqual(["2/6", "2/7"]);
    log.acceptInProgress();
    log.truncateAndAppend([entry(3, 4), entry(3, 5)]);
    expect([log.firstEntryIndex, ...ids(log.nextEntries())!]).toEqual([4, "3/4", "3/5"]);
  });

  it("does not believe that an entry is durable which was replaced while it was written", () => {
    const log = unstable();
    log.acceptInProgress();
    log.truncateAndAppend([entry(2, 6)]);
    expect(log.takeStable(6, 1)).toEqual([]);
    expect(log.takeStable(9, 1)).toEqual([]);
    expect(log.takeStable(4, 1)).toEqual([]);
    expect(log.count).toBe(2);
    expect(ids(log.takeStable(5, 1))).toEqual(["1/5"]);
  });

  it("begins anew behind a snapshot, which is handed out once", () => {
    const log = unstable();
    log.restore(snapshotAt(9, 3, members));
    expect([log.firstEntryIndex, log.lastIndex(), log.term(9), log.term(5)]).toEqual([10, 9, 3, undefined]);
    expect(log.nextSnapshot()?.metadata.index).toBe(9);
    log.acceptInProgress();
    expect(log.nextSnapshot()).toBeUndefined();
    expect(log.takeStableSnapshot(8)).toBeUndefined();
    expect(log.takeStableSnapshot(9)?.metadata.index).toBe(9);
    expect(log.lastIndex()).toBeUndefined();
  });
});

describe("both parts together", () => {
  it.each([
    ["the log ends earlier", [1, 1, 1], { term: 5, index: 9 }, "0/9"],
    ["the same term", [1, 2, 3], { term: 3, index: 3 }, "3/3"],
    ["passing over one later term", [1, 3, 3, 3], { term: 2, index: 4 }, "1/1"],
    ["passing over several later terms", [1, 2, 3, 4], { term: 1, index: 4 }, "1/1"],
    ["nothing is as old", [5, 5], { term: 4, index: 2 }, "0/0"],
  ])("guesses where logs agree: %s", (_, terms, id, expected) => {
    const found = raftLogOf(terms).findConflictByTerm(id);
    expect(`${found.term}/${found.index}`).toBe(expected);
  });

  it("guesses the cut when all behind it is later", () => {
    const stable = new MemoryLog();
    stable.applySnapshot(snapshotAt(5, 3, members));
    stable.append([entry(7, 6)]);
    expect(new RaftLog(stable, noLimit).findConflictByTerm({ term: 2, index: 6 })).toEqual({
      term: 0,
      index: 4,
    });
  });

  it.each([
    ["a later term is newer, though shorter", { term: 4, index: 1 }, true],
    ["of one term the longer is newer", { term: 3, index: 4 }, true],
    ["the same is new enough", { term: 3, index: 3 }, true],
    ["of one term the shorter is older", { term: 3, index: 2 }, false],
    ["an earlier term is older, though longer", { term: 2, index: 9 }, false],
  ])("%s", (_, candidate, expected) => {
    expect(raftLogOf([1, 2, 3]).isUpToDate(candidate)).toBe(expected);
  });

  const appends: [string, { term: number; index: number }, Entry[], number, number | undefined, number][] = [
    ["the entry before has another term", { term: 2, index: 3 }, [entry(4, 4)], 3, undefined, 1],
    ["the entry before is not there", { term: 3, index: 4 }, [entry(4, 5)], 3, undefined, 1],
    ["a heartbeat commits what is there", { term: 3, index: 3 }, [], 3, 3, 3],
    ["no more is committed than matches", { term: 3, index: 3 }, [], 4, 3, 3],
    ["commit never goes back", { term: 3, index: 3 }, [], 0, 3, 1],
    ["what is added can be committed at once", { term: 3, index: 3 }, [entry(4, 4)], 4, 4, 4],
    ["a conflicting tail is replaced", { term: 2, index: 2 }, [entry(4, 3), entry(4, 4)], 4, 4, 4],
    ["an old message cuts nothing off", { term: 1, index: 1 }, [entry(2, 2)], 2, 2, 2],
  ];
  it.each(appends)("append: %s", (_, prev, entries, commit, expected, committed) => {
    const log = raftLogOf([1, 2, 3]);
    log.commitTo(1);
    expect(log.tryAppend({ prev, entries }, commit)).toBe(expected);
    expect(log.committed).toBe(committed);
    expect(log.lastIndex()).toBe(
      expected === undefined ? 3 : Math.max(prev.index + entries.length, _.startsWith("an old") ? 3 : 0),
    );
  });

  it("stops when a committed entry would be replaced: someone's log is damaged", () => {
    const log = raftLogOf([1, 2, 3]);
    log.commitTo(3);
    expect(() => log.tryAppend({ prev: { term: 1, index: 1 }, entries: [entry(4, 2)] }, 2)).toThrow(
      /committed/,
    );
    expect(() => log.commitTo(4)).toThrow(/in the log/);
  });

  it("reads across the border of stable and unstable, page by page", () => {
    const log = raftLogOf([1, 1]);
    log.append([entry(1, 3), entry(1, 4)]);
    const one = entrySizeBytes(entry(1, 1, "1"));
    expect(ids(log.entriesFrom(1, noLimit))).toEqual(["1/1", "1/2", "1/3", "1/4"]);
    expect(ids(log.entriesFrom(1, 2 * one))).toEqual(["1/1", "1/2"]);
    expect(ids(log.entriesFrom(1, 2 * one + 1))).toEqual(["1/1", "1/2"]);
    expect(ids(log.entriesFrom(2, one + entrySizeBytes(entry(1, 3))))).toEqual(["1/2", "1/3"]);
    expect(ids(log.entriesFrom(4, 0))).toEqual(["1/4"]);
    expect(ids(log.entriesFrom(5, noLimit))).toEqual([]);
  });

  it("pauses handing out to apply at its limit, and goes on as things get applied", () => {
    const one = entrySizeBytes(entry(1, 1, "1"));
    const log = raftLogOf([1, 1, 1, 1, 1], 2 * one + 1);
    log.commitTo(5);
    expect(ids(log.nextCommitted(false))).toEqual(["1/1", "1/2"]);
    log.acceptApplying(2, 2 * one, false);
    expect(log.hasNextCommitted(false)).toBe(false);
    log.appliedTo(1, one);
    expect(ids(log.nextCommitted(false))).toEqual(["1/3"]);
    log.acceptApplying(3, one, false);
    log.appliedTo(3, 2 * one);
    expect(ids(log.nextCommitted(false))).toEqual(["1/4", "1/5"]);
  });

  it("applies what is not durable here only where that is allowed", () => {
    const log = raftLogOf([1]);
    log.append([entry(1, 2)]);
    log.commitTo(2);
    expect(ids(log.nextCommitted(false))).toEqual(["1/1"]);
    expect(ids(log.nextCommitted(true))).toEqual(["1/1", "1/2"]);
  });

  it("applies nothing while a snapshot is being installed", () => {
    const log = raftLogOf([1]);
    log.commitTo(1);
    log.restore(snapshotAt(9, 2, members));
    expect(log.hasNextCommitted(true)).toBe(false);
    expect([log.firstIndex(), log.lastIndex(), log.term(9), log.term(1)]).toEqual([10, 9, 2, undefined]);
    log.stableSnapshotTo(9);
    log.appliedTo(9, 0);
    log.append([entry(2, 10)]);
    log.stableTo({ term: 2, index: 10 });
    expect(ids(log.entriesFrom(10, noLimit))).toEqual(["2/10"]);
  });

  it("is the same as a plain list under appends, replacements, writes and cuts", () => {
    const action = fc.oneof(
      fc.record({
        do: fc.constant("append" as const),
        at: fc.nat(20),
        count: fc.integer({ min: 1, max: 4 }),
      }),
      fc.record({ do: fc.constant("stable" as const), at: fc.nat(20), count: fc.constant(0) }),
      fc.record({ do: fc.constant("compact" as const), at: fc.nat(20), count: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const stable = logOf(members);
        const log = new RaftLog(stable, noLimit);
        let model: number[] = [];
        let cut = 0;
        for (const [at, { do: kind, at: position, count }] of actions.entries()) {
          const index = cut + (position % (model.length - cut + 1));
          if (kind === "append") {
            const added = Array.from({ length: count }, (_, offset) => entry(at + 1, index + 1 + offset));
            expect(log.tryAppend({ prev: { term: model[index - 1] ?? 0, index }, entries: added }, 0)).toBe(
              index + count,
            );
            model = [...model.slice(0, index), ...added.map(({ term }) => term)];
          } else if (kind === "stable" && index > cut) log.stableTo({ term: model[index - 1]!, index });
          else if (kind === "compact" && index > cut && index < log.unstable.firstEntryIndex) {
            if (stable.compact(index)) cut = index;
          }
          expect(log.lastIndex()).toBe(model.length);
          expect(log.firstIndex()).toBe(cut + 1);
          expect(log.entriesFrom(cut + 1, noLimit)?.map(({ term }) => term)).toEqual(model.slice(cut));
          for (let each = cut; each <= model.length; each++)
            expect(log.term(each)).toBe(each === 0 ? 0 : model[each - 1]);
        }
      }),
    );
  });
});
