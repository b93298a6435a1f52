/**
 * Memory for long answers, which goes round: who makes an answer takes a piece, fills it, and lends what it filled; who
 * sends the answer gives the piece back when its last byte has left. New memory for each answer would cost more than
 * filling it does: the kernel clears every page, and the caches know none of it. A piece that does not come back (its
 * request was cancelled, the answer went another way) is collected like any other memory.
 */
import { allocateBytes } from "./bytes.js";
import { limits } from "./limits.js";

const free: Uint8Array[] = [];
const lentPieces = new WeakMap<Uint8Array, Uint8Array>();

/** `limits.answerPieceBytes`, contents undefined until written. */
export function takeAnswerPiece(): Uint8Array {
  return free.pop() ?? allocateBytes(limits.answerPieceBytes);
}

/** Says that `piece` may be given back when `part` was sent, which is sent once, and after all else of the piece. */
export function lendAnswerPiece(piece: Uint8Array, part: Uint8Array): void {
  lentPieces.set(part, piece);
}

/** The piece that is to be given back when `part` was sent, if any. */
export function answerPieceOf(part: Uint8Array): Uint8Array | undefined {
  return lentPieces.get(part);
}

/** Nobody reads the pieces any more. */
export function giveBackAnswerPieces(pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) if (free.length < limits.answerPiecesKept) free.push(piece);
}
