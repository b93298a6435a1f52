/**
 * Long range answers are encoded in memory that goes round. If one of these fails, a client gets pairs of another
 * answer, or none of that memory is used twice and every page costs double.
 */
import { describe, expect, test } from "vitest";
import {
  answerPieceOf,
  giveBackAnswerPieces,
  lendAnswerPiece,
  takeAnswerPiece,
} from "../../src/base/answer-pieces.js";
import { limits } from "../../src/base/limits.js";
import { encodeRangeResponse, RangeEncoder } from "../../src/mvcc/codec.js";
import { SortOrder, SortTarget } from "../../src/mvcc/requests.js";
import type { MvccStore } from "../../src/mvcc/store.js";
import { freshStore, put, range } from "./fakes.js";

const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };

function filled(count: number, valueBytes: (number: number) => number): MvccStore {
  const { store } = freshStore();
  for (let number = 0; number < count; number++) {
    const fill = String.fromCharCode(65 + (number % 26));
    store.put(put(`k${String(number).padStart(5, "0")}`, fill.repeat(valueBytes(number))));
  }
  return store;
}

function encoded(store: MvccStore, request = range("k", "l")): readonly Uint8Array[] {
  const cursor = store.openRange(request);
  const encoder = new RangeEncoder(header);
  while (!cursor.nextInto(encoder));
  return encoder.finish(cursor);
}

const piecesOf = (parts: readonly Uint8Array[]): Uint8Array[] =>
  parts.map(answerPieceOf).filter((piece) => piece !== undefined);

describe("a range that is encoded while it is read", () => {
  test("is what the whole answer encoded at once is, whatever the sizes of its values", () => {
    const sizes = [0, 1, 100, 3_000, 4_090, 4_200, 70_000];
    const store = filled(1_500, (number) => sizes[number % sizes.length]!);
    const requests = [
      range("k", "l"),
      range("k", "l", { limit: 700 }),
      range("k", "l", { keysOnly: true }),
      range("k", "l", { sortOrder: SortOrder.Descend, sortTarget: SortTarget.Value, limit: 300 }),
      range("k", "l", { keysOnly: true, sortTarget: SortTarget.Value, limit: 300 }),
      range("k", "l", { countOnly: true }),
      range("m", "n"),
    ];
    for (const request of requests) {
      const whole = encodeRangeResponse(header, store.range(request));
      expect(Buffer.concat(encoded(store, request)).equals(Buffer.concat(whole))).toBe(true);
    }
  });

  test("takes one part where it is small, and lends nothing", () => {
    const parts = encoded(filled(10, () => 100));
    expect(parts).toHaveLength(1);
    expect(piecesOf(parts)).toEqual([]);
  });

  test("uses memory again that was given back, and never before", () => {
    const store = filled(1_000, () => 256);
    const first = encoded(store);
    const bytes = Buffer.concat(first);
    const lent = piecesOf(first);
    expect(lent).toHaveLength(Math.ceil(bytes.length / limits.answerPieceBytes));
    const second = encoded(store);
    expect(piecesOf(second).filter((piece) => lent.includes(piece))).toEqual([]);
    expect(Buffer.concat(first).equals(bytes)).toBe(true);
    giveBackAnswerPieces(lent);
    expect(new Set(piecesOf(encoded(store)))).toEqual(new Set(lent));
    expect(Buffer.concat(second).equals(bytes)).toBe(true);
  });

  test("keeps no more memory for later than its bound", () => {
    const pieces = Array.from({ length: limits.answerPiecesKept + 8 }, () => takeAnswerPiece());
    for (const piece of pieces) lendAnswerPiece(piece, piece);
    giveBackAnswerPieces(pieces);
    const again = pieces.map(() => takeAnswerPiece());
    expect(again.filter((piece) => pieces.includes(piece))).toHaveLength(limits.answerPiecesKept);
  });
});
