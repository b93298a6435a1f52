/** A checker that finds nothing proves nothing: each kind of breach, planted, is found and named. */
import { describe, expect, test } from "vitest";
import {
  checkWatches,
  type RecordedAnswer,
  type RecordedEvent,
  type RecordedPair,
  type RecordedWatch,
} from "../../cluster-test/watch-checker.js";

function pair(
  key: string,
  value: string,
  createRevision: number,
  modRevision: number,
  version: number,
): RecordedPair {
  return { key, value, createRevision, modRevision, version };
}

const a2 = pair("a", "1", 2, 2, 1);
const a3 = pair("a", "2", 2, 3, 2);
const b3 = pair("b", "3", 3, 3, 1);
const a5 = pair("a", "4", 5, 5, 1);
const put = (of: RecordedPair, previous?: RecordedPair): RecordedEvent => ({
  kind: "put",
  pair: of,
  previous,
});
const deleted = (key: string, revision: number, previous?: RecordedPair): RecordedEvent => ({
  kind: "delete",
  pair: pair(key, "", 0, revision, 0),
  previous,
});

/** Revision 3 is a transaction, 4 deletes a, 5 makes it again. */
const events = [put(a2), put(a3, a2), put(b3), deleted("a", 4, a3), put(a5)];

function answer(revision: number, ...told: readonly RecordedEvent[]): RecordedAnswer {
  return { revision, created: false, canceled: false, compactRevision: 0, fragment: false, events: told };
}

function watch(answers: readonly RecordedAnswer[], more: Partial<RecordedWatch> = {}): RecordedWatch {
  const common = { name: "w", key: "a", rangeEnd: "c", startRevision: 2, noPut: false, noDelete: false };
  return { ...common, prevKv: true, completeTo: undefined, answers, ...more };
}

function promisesBroken(
  answers: readonly RecordedAnswer[],
  more: Partial<RecordedWatch> = {},
  compactedRevision = 0,
): readonly string[] {
  return [
    ...new Set(
      checkWatches([watch(answers, more)], { events, compactedRevision }).map(({ promise }) => promise),
    ),
  ].sort();
}

const right = [
  answer(2, put(a2)),
  answer(3, put(a3, a2), put(b3)),
  answer(4, deleted("a", 4, a3)),
  answer(5, put(a5)),
];

describe("the watch checker", () => {
  test("finds nothing wrong with a watch that was told everything, whole or in fragments, with progress", () => {
    expect(promisesBroken(right, { completeTo: 5 })).toEqual([]);
    const fragments = [
      answer(2, put(a2)),
      { ...answer(3, put(a3, a2)), fragment: true },
      answer(3, put(b3)),
      answer(5, deleted("a", 4, a3), put(a5)),
      answer(5),
    ];
    expect(promisesBroken(fragments, { completeTo: 5 })).toEqual([]);
    const created = { ...answer(3), created: true };
    expect(promisesBroken([created, ...right.slice(2)], { startRevision: 0, completeTo: 5 })).toEqual([]);
  });

  test.each<[string, readonly RecordedAnswer[], Partial<RecordedWatch>, string]>([
    [
      "an event out of order",
      [answer(2, put(a2)), answer(5, put(a5)), answer(4, deleted("a", 4, a3))],
      {},
      "ordered",
    ],
    ["an event told twice", [right[0]!, right[0]!], {}, "unique"],
    ["an event lost in the middle", [right[0]!, right[2]!], {}, "reliable"],
    ["an event lost at the end", right.slice(0, 3), { completeTo: 5 }, "reliable"],
    ["half a transaction", [right[0]!, answer(3, put(a3, a2)), answer(3, put(b3))], {}, "atomic"],
    ["an event from before the start", right, { startRevision: 3 }, "resumable"],
    ["a start that skips an event", right.slice(1), {}, "resumable"],
    ["a progress notification that overtakes", [right[0]!, answer(3), right[1]!], {}, "bookmarkable"],
    ["a header ahead of its events", [answer(3, put(a2)), right[1]!], {}, "bookmarkable"],
    ["prev_kv of another revision", [right[0]!, answer(3, put(a3, a3), put(b3))], {}, "previous"],
    ["prev_kv that is missing", [right[0]!, answer(3, put(a3), put(b3))], {}, "previous"],
    ["prev_kv that nobody asked for", right.slice(0, 2), { prevKv: false }, "previous"],
    [
      "a put that says it made the key",
      [answer(2, put(a2)), answer(3, put({ ...a3, version: 1 }, a2), put(b3))],
      {},
      "created",
    ],
    ["a key outside the range", right.slice(0, 2), { rangeEnd: "" }, "filtered"],
    ["a kind that was filtered", right, { noDelete: true }, "filtered"],
    ["an event after the end", [{ ...answer(0), canceled: true }, right[0]!], {}, "filtered"],
    ["a value that nobody wrote", [answer(2, put({ ...a2, value: "9" }))], {}, "true"],
    ["an event that nobody wrote", [right[0]!, answer(2, put(pair("b", "1", 2, 2, 1)))], {}, "true"],
    [
      "prev_kv that is missing though no compaction had come that far",
      [right[0]!, { ...answer(3, put(a3), put(b3)), compactedBefore: 2 }],
      {},
      "previous",
    ],
    [
      "an end by a compaction that nobody had asked for yet",
      [{ ...answer(0), canceled: true, compactRevision: 4, compactedBefore: 3 }],
      {},
      "reliable",
    ],
    [
      "an end by a compaction that took nothing",
      [{ ...answer(0), canceled: true, compactRevision: 2 }],
      {},
      "reliable",
    ],
  ])("finds %s", (_what, answers, more, promise) => {
    expect(promisesBroken(answers, more)).toContain(promise);
  });

  test("lets a compaction take prev_kv below it, and end what waits for less, from when it may have come", () => {
    const late = { ...answer(3, put(a3), put(b3)), compactedBefore: 3 };
    expect(promisesBroken([right[0]!, late], {}, 4)).toEqual([]);
    expect(promisesBroken([right[0]!, { ...late, compactedBefore: 2 }], {}, 4)).toEqual(["previous"]);
    const ended = { ...answer(0), canceled: true, compactRevision: 4, compactedBefore: 4 };
    expect(promisesBroken([right[0]!, ended], {}, 4)).toEqual([]);
    // Without a word of when, the whole history's compaction counts.
    expect(promisesBroken([right[0]!, answer(3, put(a3), put(b3))], {}, 3)).toEqual([]);
    expect(promisesBroken([right[0]!, answer(3, put(a3), put(b3))], {}, 2)).toEqual(["previous"]);
  });
});
