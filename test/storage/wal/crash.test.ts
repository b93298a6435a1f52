/**
 * If these fail, a member that lost power either loses writes that clients were told are safe, or refuses to
 * start after an ordinary crash.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DamageError } from "../../../src/base/errors.js";
import type { LogAppend } from "../../../src/ports/raft-log.js";
import { readFrame } from "../../../src/storage/wal/record.js";
import { contents, entry, type Image, MemoryLog, replay } from "./memory-log.js";

const sector = 512;
/** Ids of members are hashes: far above any term. */
const me = 0x8e9e_05c5_2164_694dn;

/** One append of entries `first` to `last`, as a follower in term 1 gets it. */
function batch(first: number, last: number, value: (index: number) => Uint8Array | string): LogAppend {
  const entries = [];
  for (let index = first; index <= last; index++) entries.push(entry(1, index, value(index)));
  return { entries, hardState: { term: 1, vote: me, commit: first - 1 } };
}

function images(log: MemoryLog): Image[] {
  return log.segments.map(({ ref, bytes }) => ({ ref, bytes }));
}

function withLast(log: MemoryLog, bytes: Uint8Array): Image[] {
  return [...images(log).slice(0, -1), { ref: log.last.ref, bytes }];
}

const prose = (index: number) => `value ${index} `.repeat(1 + (index % 40));

describe("a crash while the last batch is written", () => {
  const log = new MemoryLog(32 * 1024);
  log.append([batch(1, 9, prose)], { sync: true });
  log.append([batch(10, 15, prose)], { sync: true });
  const acknowledged = log.last.used;
  log.append([batch(16, 24, prose)], { sync: true });
  const whole = contents(replay(images(log)).recovered);

  it("leaves a whole prefix when the file is cut at any byte of the batch", () => {
    for (let cut = acknowledged; cut <= log.last.used; cut++) {
      const { recovered, end } = replay(withLast(log, log.last.bytes.slice(0, cut)));
      expect(recovered.entries.length).toBeGreaterThanOrEqual(15);
      expect(contents(recovered)).toEqual(whole.slice(0, recovered.entries.length));
      expect(end.offsetBytes).toBeLessThanOrEqual(cut);
      expect(end.torn).toBe(end.offsetBytes !== cut);
    }
    expect(replay(images(log)).recovered.entries).toHaveLength(24);
  });

  it("leaves a whole prefix when any one sector of the batch was lost", () => {
    for (let at = Math.ceil(acknowledged / sector) * sector; at < log.last.used; at += sector) {
      const bytes = log.last.bytes.slice();
      bytes.fill(0, at, at + sector);
      const { recovered } = replay(withLast(log, bytes));
      expect(recovered.entries.length).toBeGreaterThanOrEqual(15);
      expect(recovered.entries.length).toBeLessThan(24);
      expect(contents(recovered)).toEqual(whole.slice(0, recovered.entries.length));
    }
  });

  it("refuses to start when the lost sector belongs to a batch before the last", () => {
    const bytes = log.last.bytes.slice();
    bytes.fill(0, sector, 2 * sector);
    expect(acknowledged).toBeGreaterThan(2 * sector);
    expect(() => replay(withLast(log, bytes))).toThrow(DamageError);
  });
});

describe("any subset of the sectors of unsynced writes", () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 900 }),
    fc.nat({ max: 2500 }).map((length) => new Uint8Array(length)),
  );
  const write = fc.record({
    values: fc.array(value, { minLength: 1, maxLength: 6 }),
    commitOnly: fc.boolean(),
  });

  it("recovers everything acknowledged and a whole prefix of the rest", () => {
    fc.assert(
      fc.property(
        fc.array(write, { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 3 }),
        fc.infiniteStream(fc.nat()),
        (writes, synced, choices) => {
          const log = new MemoryLog(64 * 1024);
          let next = 1;
          const apply = (target: MemoryLog, at: number): void => {
            const { values, commitOnly } = writes[at]!;
            const sync = at < synced;
            if (commitOnly && !sync) {
              target.append([{ entries: [], hardState: { term: 1, vote: me, commit: next - 1 } }], {
                sync: false,
              });
              return;
            }
            const first = next;
            next += values.length;
            target.append([batch(first, next - 1, (index) => values[index - first]!)], { sync });
          };
          for (let at = 0; at < Math.min(synced, writes.length); at++) apply(log, at);
          const acknowledged = next - 1;
          const versions = [log.last.bytes.slice()];
          for (let at = synced; at < writes.length; at++) {
            apply(log, at);
            versions.push(log.last.bytes.slice());
          }
          const whole = contents(replay(images(log)).recovered);
          const torn = log.last.bytes.slice();
          for (let at = 0; at < log.last.used; at += sector) {
            const version = versions[choices.next().value! % versions.length]!;
            torn.set(version.subarray(at, at + sector), at);
          }
          const { recovered } = replay(withLast(log, torn));
          expect(recovered.entries.length).toBeGreaterThanOrEqual(acknowledged);
          expect(contents(recovered)).toEqual(whole.slice(0, recovered.entries.length));
          expect(recovered.hardState.commit).toBeLessThanOrEqual(recovered.entries.length);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe("one flipped bit in a log whose every write was acknowledged", () => {
  const log = new MemoryLog(2048);
  log.append([batch(1, 3, prose)], { sync: true });
  log.append([{ entries: [], hardState: { term: 1, vote: me, commit: 3 } }], { sync: false });
  const confState = {
    voters: [1n, 2n],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  log.append([{ entries: [], mark: { index: 2, term: 1, confState } }], { sync: true });
  for (let index = 4; index < 24; index++) log.append([batch(index, index, prose)], { sync: true });
  log.append([{ entries: [entry(2, 24, "")], hardState: { term: 2, vote: me, commit: 23 } }], { sync: true });
  log.append([{ entries: [entry(2, 25, "x")] }], { sync: true });
  const asText = (images: readonly Image[]) => {
    const { recovered } = replay(images);
    const hardState = { ...recovered.hardState, vote: String(recovered.hardState.vote) };
    return JSON.stringify([contents(recovered), hardState, recovered.mark.index, [...recovered.metadata]]);
  };
  const whole = asText(images(log));

  it("is refused, or loses nothing, wherever it is", () => {
    expect(log.segments.length).toBeGreaterThan(1);
    let refused = 0;
    log.segments.forEach((segment, which) => {
      for (let bit = 0; bit < segment.bytes.length * 8; bit++) {
        const bytes = segment.bytes.slice();
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const damaged = images(log).map((image, at) => (at === which ? { ref: image.ref, bytes } : image));
        try {
          const text = asText(damaged);
          if (text !== whole) expect({ which, bit, text }).toEqual({ which, bit, text: whole });
        } catch (error) {
          if (!(error instanceof DamageError)) throw error;
          refused++;
          if (bit % 997 === 0) expect(error.message).toMatch(/(damaged at byte|does not fit).*snapshot/);
        }
      }
    });
    const usedBits = log.segments.reduce((sum, segment) => sum + segment.used * 8, 0);
    expect(refused).toBeGreaterThanOrEqual(usedBits);
  });
});

describe("a sector that the disk wrote to a wrong place", () => {
  /** Small writes, a record that is longer than all that follows it, small writes. The last may pass as torn. */
  function logOf(before: number, after: number): { log: MemoryLog; beforeLast: number } {
    const log = new MemoryLog(16 * 1024);
    let beforeLast = 0;
    [before, 3_000, after, 100, 200, 300, 400, 4].forEach((length, nth) => {
      beforeLast = log.last.used;
      log.append([batch(nth + 1, nth + 1, () => "v".repeat(length))], { sync: true });
    });
    return { log, beforeLast };
  }

  /** Where a record begins with a sector. */
  function sectorsOfRecords({ last }: MemoryLog): number[] {
    const places: number[] = [];
    for (let at = 0, frame = readFrame(last.bytes, at); frame.kind === "frame"; ) {
      if (at % sector === 0) places.push(at);
      at = frame.end;
      frame = readFrame(last.bytes, at);
    }
    return places;
  }

  it("is found, also where a long record seems to begin over short ones", () => {
    const steps = Array.from({ length: sector / 8 }, (_, nth) => nth * 8);
    let copies = 0;
    for (const before of steps) {
      for (const after of steps) {
        const { log, beforeLast } = logOf(before, after);
        const places = sectorsOfRecords(log);
        for (const from of places) {
          for (const to of places) {
            if (from >= to || to + sector > beforeLast) continue;
            const bytes = log.last.bytes.slice();
            bytes.copyWithin(to, from, from + sector);
            copies++;
            const where = `${from} over ${to} (${before}, ${after})`;
            expect(() => replay(withLast(log, bytes)), where).toThrow(DamageError);
          }
        }
      }
    }
    expect(copies).toBeGreaterThan(1_000);
  });
});

describe("a log whose head or whose order is wrong", () => {
  const log = new MemoryLog(1024);
  for (let index = 1; index < 30; index++) log.append([batch(index, index, prose)], { sync: true });

  it("names the file and the place", () => {
    const bytes = log.last.bytes.slice();
    bytes.fill(0);
    expect(() => replay(withLast(log, bytes))).toThrow(`${log.last.ref.name} is damaged at byte 0`);
  });

  it("is refused when a segment in the middle is another one's copy", () => {
    const all = images(log);
    expect(all.length).toBeGreaterThan(3);
    const swapped = [all[0]!, { ref: all[1]!.ref, bytes: all[2]!.bytes }, ...all.slice(2)];
    expect(() => replay(swapped)).toThrow(DamageError);
  });

  it("is refused when the end of an older segment is gone", () => {
    const all = images(log);
    const first = all[0]!;
    const used = log.segments[0]!.used;
    for (let cut = 512; cut < used; cut += 8) {
      const bytes = first.bytes.slice();
      bytes.fill(0, cut);
      expect(() => replay([{ ref: first.ref, bytes }, ...all.slice(1)])).toThrow(DamageError);
    }
  });
});
