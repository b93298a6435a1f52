/**
 * From what the store answers to wire bytes. An answer is a list of parts: large stored pairs are carried as
 * they are and not copied, small ones are copied together, so that a small answer is one part.
 */

import { assert } from "../base/assert.js";
import type { ClusterId, MemberId, Revision, Term } from "../base/brand.js";
import { bytesFieldSize, int64FieldSize, ProtoWriter } from "../base/protowire.js";
import type { DeleteRangeResult, PutResult, RangeResult, ResponseOp, TxnResult } from "./results.js";

/** Fields of etcdserverpb.ResponseHeader. */
export interface ResponseHeader {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly revision: Revision;
  readonly raftTerm: Term;
}

/** A stored pair of this many bytes or more is a part of its own: below, copying is cheaper than one more part. */
export const carriedBytesMin = 4096;

/** Members of etcdserverpb.ResponseOp, by kind. */
const responseField = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const;

const headerField = 1;

export function encodeRangeResponse(header: ResponseHeader, result: RangeResult): readonly Uint8Array[] {
  const parts = new PartWriter(copiedSize(result.kvs) + headerBytesMax + 16);
  writeHeader(parts.small, header);
  writeRange(parts, result);
  return parts.finish();
}

/** What stands before the pairs of a range answer. */
export function encodeRangeBegin(header: ResponseHeader): readonly Uint8Array[] {
  return headerAlone(header);
}

/** What comes behind them. */
export function encodeRangeEnd({ more, count }: Pick<RangeResult, "more" | "count">): Uint8Array {
  return new ProtoWriter(16).boolField(3, more).int64Field(4, count).finish();
}

export function encodePutResponse(header: ResponseHeader, result: PutResult): readonly Uint8Array[] {
  if (result.prevKv === undefined) return headerAlone(header);
  const copied = copiedSize([result.prevKv]);
  const parts = new PartWriter(copied + headerBytesMax);
  writeHeader(parts.small, header);
  writePut(parts, result);
  return parts.finish();
}

export function encodeDeleteRangeResponse(
  header: ResponseHeader,
  result: DeleteRangeResult,
): readonly Uint8Array[] {
  const parts = new PartWriter(copiedSize(result.prevKvs) + headerBytesMax + 16);
  writeHeader(parts.small, header);
  writeDeleteRange(parts, result);
  return parts.finish();
}

/** The headers of the answers inside carry a revision only, those of nested transactions nothing, as in etcd. */
export function encodeTxnResponse(header: ResponseHeader, result: TxnResult): readonly Uint8Array[] {
  const parts = new PartWriter(256);
  writeHeader(parts.small, header);
  writeTxn(parts, result);
  return parts.finish();
}

export function encodeCompactionResponse(header: ResponseHeader): readonly Uint8Array[] {
  return headerAlone(header);
}

/** An answer that says nothing but its revision. */
function headerAlone(header: ResponseHeader): readonly Uint8Array[] {
  const writer = new ProtoWriter(bytesFieldSize(headerSize(header)));
  writeHeader(writer, header);
  return [writer.finish()];
}

/** Tag and length of the header, two ids of up to 11 bytes, revision and term of up to 11. */
export const headerBytesMax = 46;

/** The ids of a process never change, so their bytes are made once. */
const idMemo = { clusterId: 0n, memberId: 0n, bytes: new Uint8Array(0) };

function idBytes({ clusterId, memberId }: ResponseHeader): Uint8Array {
  if (idMemo.clusterId !== clusterId || idMemo.memberId !== memberId) {
    const writer = new ProtoWriter(32);
    writer.bigField(1, clusterId).bigField(2, memberId);
    idMemo.clusterId = clusterId;
    idMemo.memberId = memberId;
    idMemo.bytes = new Uint8Array(writer.finish());
  }
  return idMemo.bytes;
}

/** Answers that leave in one turn of a member have the same header: watches' events, keep-alives. */
const headerMemo = { revision: -1, raftTerm: -1, memberId: 0n, bytes: new Uint8Array(0) };

/** What `writeHeader` writes. Shared. */
export function headerBytes(header: ResponseHeader): Uint8Array {
  const { revision, raftTerm, memberId } = header;
  if (
    headerMemo.revision !== revision ||
    headerMemo.raftTerm !== raftTerm ||
    headerMemo.memberId !== memberId
  ) {
    const writer = new ProtoWriter(headerBytesMax);
    writeHeader(writer, header);
    headerMemo.revision = revision;
    headerMemo.raftTerm = raftTerm;
    headerMemo.memberId = memberId;
    headerMemo.bytes = new Uint8Array(writer.finish());
  }
  return headerMemo.bytes;
}

/** Field 1 of every response. */
export function writeHeader(writer: ProtoWriter, header: ResponseHeader): void {
  writer
    .varint(headerField * 8 + 2)
    .varint(headerSize(header))
    .raw(idBytes(header))
    .int64Field(3, header.revision)
    .int64Field(4, header.raftTerm);
}

function headerSize(header: ResponseHeader): number {
  return idBytes(header).length + int64FieldSize(header.revision) + int64FieldSize(header.raftTerm);
}

/** The header of an answer inside a transaction. */
function writeInnerHeader(writer: ProtoWriter, revision: Revision): void {
  writer
    .varint(headerField * 8 + 2)
    .varint(int64FieldSize(revision))
    .int64Field(3, revision);
}

function innerHeaderSize(revision: Revision): number {
  return 2 + int64FieldSize(revision);
}

/** What a list of pairs takes where small ones are copied and large ones carried: a guess is enough, memory grows. */
function copiedSize(pairs: readonly Uint8Array[]): number {
  let size = 0;
  for (const pair of pairs) size += pair.length < carriedBytesMin ? pair.length + 4 : 8;
  return size;
}

function pairsSize(pairs: readonly Uint8Array[]): number {
  let size = 0;
  for (const pair of pairs) size += bytesFieldSize(pair.length);
  return size;
}

function rangeSize(result: RangeResult): number {
  return pairsSize(result.kvs) + (result.more ? 2 : 0) + int64FieldSize(result.count);
}

function writeRange(parts: PartWriter, result: RangeResult): void {
  for (const pair of result.kvs) parts.pair(2, pair);
  parts.small.boolField(3, result.more).int64Field(4, result.count);
}

function putSize(result: PutResult): number {
  return result.prevKv === undefined ? 0 : bytesFieldSize(result.prevKv.length);
}

function writePut(parts: PartWriter, result: PutResult): void {
  if (result.prevKv !== undefined) parts.pair(2, result.prevKv);
}

function deleteRangeSize(result: DeleteRangeResult): number {
  return int64FieldSize(result.deleted) + pairsSize(result.prevKvs);
}

function writeDeleteRange(parts: PartWriter, result: DeleteRangeResult): void {
  parts.small.int64Field(2, result.deleted);
  for (const pair of result.prevKvs) parts.pair(3, pair);
}

/** Sizes of nested answers, so that a transaction nested n deep is measured once and not n times. */
type OpSizes = Map<ResponseOp, number>;

function writeTxn(parts: PartWriter, result: TxnResult): void {
  const sizes: OpSizes = new Map();
  for (const op of result.responses) opSize(op, sizes);
  writeTxnBody(parts, result, sizes);
}

function writeTxnBody(parts: PartWriter, result: TxnResult, sizes: OpSizes): void {
  parts.small.boolField(2, result.succeeded);
  for (const op of result.responses) writeOp(parts, op, sizes);
}

function txnSize(result: TxnResult, sizes: OpSizes): number {
  let size = result.succeeded ? 2 : 0;
  for (const op of result.responses) size += bytesFieldSize(opSize(op, sizes));
  return size;
}

/** Size of the answer inside a ResponseOp, its own header included; recorded for it and all inside it. */
function innerSize(op: Exclude<ResponseOp, { kind: "none" }>, sizes: OpSizes): number {
  switch (op.kind) {
    case "range":
      return innerHeaderSize(op.result.revision) + rangeSize(op.result);
    case "put":
      return innerHeaderSize(op.result.revision) + putSize(op.result);
    case "deleteRange":
      return innerHeaderSize(op.result.revision) + deleteRangeSize(op.result);
    case "txn":
      return innerHeaderSize(0) + txnSize(op.result, sizes);
  }
}

/** Size of a ResponseOp; what is recorded is the size of the answer in it. */
function opSize(op: ResponseOp, sizes: OpSizes): number {
  if (op.kind === "none") return 0;
  const size = innerSize(op, sizes);
  sizes.set(op, size);
  return bytesFieldSize(size);
}

function writeOp(parts: PartWriter, op: ResponseOp, sizes: OpSizes): void {
  parts.small.varint(3 * 8 + 2);
  if (op.kind === "none") {
    parts.small.varint(0);
    return;
  }
  const size = sizes.get(op);
  assert(size !== undefined, "every answer of a transaction is measured before it is written");
  parts.small
    .varint(bytesFieldSize(size))
    .varint(responseField[op.kind] * 8 + 2)
    .varint(size);
  switch (op.kind) {
    case "range":
      writeInnerHeader(parts.small, op.result.revision);
      writeRange(parts, op.result);
      break;
    case "put":
      writeInnerHeader(parts.small, op.result.revision);
      writePut(parts, op.result);
      break;
    case "deleteRange":
      writeInnerHeader(parts.small, op.result.revision);
      writeDeleteRange(parts, op.result);
      break;
    case "txn":
      writeInnerHeader(parts.small, 0);
      writeTxnBody(parts, op.result, sizes);
      break;
  }
}

/** Gathers small pieces in one memory and cuts it where a large pair is carried. */
export class PartWriter {
  readonly small: ProtoWriter;
  private readonly parts: Uint8Array[] = [];
  /** Where in `small` the piece begins that is not in `parts` yet. */
  private cuts: number[] = [];

  constructor(sizeHintBytes: number) {
    this.small = new ProtoWriter(sizeHintBytes);
  }

  /** A field with a stored pair. */
  pair(field: number, pair: Uint8Array): void {
    this.small.varint(field * 8 + 2).varint(pair.length);
    if (pair.length < carriedBytesMin) {
      this.small.raw(pair);
      return;
    }
    this.cuts.push(this.small.length);
    this.parts.push(pair);
  }

  /** The parts in order; at least one. */
  finish(): readonly Uint8Array[] {
    const all = this.small.finish();
    if (this.cuts.length === 0) return [all];
    const result: Uint8Array[] = [];
    let from = 0;
    for (const [at, cut] of this.cuts.entries()) {
      result.push(all.subarray(from, cut), this.parts[at]!);
      from = cut;
    }
    if (from < all.length) result.push(all.subarray(from));
    return result;
  }
}
