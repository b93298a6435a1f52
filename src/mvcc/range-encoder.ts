/**
 * A range answer as wire bytes, made while its pairs are read: each is copied once, from where it is stored into the
 * memory that is sent. Pairs of some size are not copied but carried as a part of their own.
 */

import { lendAnswerPiece, takeAnswerPiece } from "../base/answer-pieces.js";
import { assert } from "../base/assert.js";
import { allocatePooledBytes, emptyBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import { ProtoWriter } from "../base/protowire.js";
import {
  carriedBytesMin,
  encodeRangeEnd,
  headerBytesMax,
  type ResponseHeader,
  writeHeader,
} from "./encode.js";
import type { PairSink } from "./range-cursor.js";
import type { ReadBatch } from "./read-batch.js";
import type { RangeResult } from "./results.js";

const pairTag = 2 * 8 + 2;
/** Tag and length of a pair; count and `more` at the end of the answer. */
const pairHeadBytesMax = 6;
const endBytesMax = 13;
/** What a processor fetches at once. */
const cacheLineBytes = 64;

export class RangeEncoder implements PairSink {
  private parts: Uint8Array[] = [];
  private piece = emptyBytes;
  /** Where in the piece the part begins that is not in `parts` yet, and where the next byte goes. */
  private partStart = 0;
  private used = 0;
  private isLent = false;
  private isFirst = true;

  /** With a header it comes first; without, the answer has none. */
  constructor(private header: ResponseHeader | undefined) {}

  take(batch: ReadBatch): void {
    const { located, starts, ends } = batch;
    let left = this.prepare(batch);
    for (let at = 0; at < located; at++) {
      const length = ends[at]! - starts[at]!;
      const needed = copiedBytes(length);
      this.reserve(needed, left);
      left -= needed;
      this.pairHead(length);
      if (length >= carriedBytesMin) {
        this.endPart();
        this.parts.push(batch.bytesAt(at));
      } else {
        this.piece.set(batch.bytesAt(at), this.used);
        this.used += length;
      }
    }
  }

  /** Bytes that the batch will take; all that is to be copied is on its way into the processor's cache. */
  private prepare({ located, sources, starts, ends }: ReadBatch): number {
    let bytes = 0;
    let touched = 0;
    for (let at = 0; at < located; at++) {
      const start = starts[at]!;
      const end = ends[at]!;
      bytes += copiedBytes(end - start);
      if (end - start >= carriedBytesMin) continue;
      const source = sources[at]!;
      for (let line = start; line < end; line += cacheLineBytes) touched ^= source[line]!;
    }
    // Without a use of it the compiler would leave the reading out.
    assert(touched < 256, "bytes are combined to a byte");
    return bytes;
  }

  /** Ends the answer: all of its parts. */
  finish(result: Pick<RangeResult, "more" | "count">): readonly Uint8Array[] {
    this.reserve(endBytesMax, endBytesMax);
    const end = encodeRangeEnd(result);
    this.piece.set(end, this.used);
    this.used += end.length;
    return this.takeParts();
  }

  /** What was encoded since the last call; for answers that leave in pieces. */
  takeParts(): readonly Uint8Array[] {
    this.endPiece();
    const { parts } = this;
    this.parts = [];
    return parts;
  }

  /** Makes room for `needed` bytes; `expected`, those included, are known to come. */
  private reserve(needed: number, expected: number): void {
    if (this.used + needed <= this.piece.length) return;
    this.endPiece();
    const wanted = expected + headerBytesMax + endBytesMax;
    // A small answer gets what it needs; one that is longer than a piece may be much longer.
    this.isLent = !this.isFirst || wanted > limits.answerPieceBytes;
    this.isFirst = false;
    this.piece = this.isLent ? takeAnswerPiece() : allocatePooledBytes(wanted);
    if (this.header === undefined) return;
    const writer = new ProtoWriter(this.piece);
    writeHeader(writer, this.header);
    this.used = writer.length;
    this.header = undefined;
  }

  private pairHead(length: number): void {
    const { piece } = this;
    let at = this.used;
    piece[at++] = pairTag;
    let rest = length;
    for (; rest >= 0x80; rest >>>= 7) piece[at++] = (rest & 0x7f) | 0x80;
    piece[at++] = rest;
    this.used = at;
  }

  private endPart(): void {
    if (this.used > this.partStart) this.parts.push(this.piece.subarray(this.partStart, this.used));
    this.partStart = this.used;
  }

  private endPiece(): void {
    this.endPart();
    const last = this.parts.at(-1);
    if (this.isLent && last !== undefined) lendAnswerPiece(this.piece, last);
    this.isLent = false;
    this.piece = emptyBytes;
    this.partStart = 0;
    this.used = 0;
  }
}

/** Bytes that a pair takes in a piece. */
function copiedBytes(length: number): number {
  return length < carriedBytesMin ? length + pairHeadBytesMax : pairHeadBytesMax;
}
