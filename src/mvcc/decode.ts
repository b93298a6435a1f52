/**
 * From the wire bytes of the hot requests to what the store understands. Fields that are not known, and known
 * ones with another wire type, are passed over, as protobuf says; the last of several values of a field wins.
 * Slices of the result share memory with the input. Errors of all functions: ProtoError.
 */
import { emptyBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { ProtoReader } from "../base/protowire.js";
import type {
  CompactionRequest,
  Compare,
  CompareOperand,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "./requests.js";

/** Tags (field number × 8 + wire type) of the fields that are read. */
const varint = (field: number): number => field * 8;
const bytes = (field: number): number => field * 8 + 2;

export function decodeRangeRequest(wire: Uint8Array): RangeRequest {
  return readRange(new ProtoReader(wire));
}

export function decodePutRequest(wire: Uint8Array): PutRequest {
  return readPut(new ProtoReader(wire));
}

export function decodeDeleteRangeRequest(wire: Uint8Array): DeleteRangeRequest {
  return readDeleteRange(new ProtoReader(wire));
}

/** Transactions nested deeper than limits.txnDepthMax are refused as TooManyOps, as in etcd: decoding and applying recurse. */
export function decodeTxnRequest(wire: Uint8Array): TxnRequest {
  return readTxn(new ProtoReader(wire), 1);
}

export function decodeCompactionRequest(wire: Uint8Array): CompactionRequest {
  const reader = new ProtoReader(wire);
  let revision = 0;
  let physical = false;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === varint(1)) revision = reader.int64();
    else if (tag === varint(2)) physical = reader.bool();
    else reader.skip(tag);
  }
  return { revision, physical };
}

function readRange(reader: ProtoReader): RangeRequest {
  const request: { -readonly [Field in keyof RangeRequest]: RangeRequest[Field] } = {
    key: emptyBytes,
    rangeEnd: emptyBytes,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        request.key = reader.slice();
        break;
      case bytes(2):
        request.rangeEnd = reader.slice();
        break;
      case varint(3):
        request.limit = reader.int64();
        break;
      case varint(4):
        request.revision = reader.int64();
        break;
      case varint(5):
        request.sortOrder = reader.uint32();
        break;
      case varint(6):
        request.sortTarget = reader.uint32();
        break;
      case varint(7):
        request.serializable = reader.bool();
        break;
      case varint(8):
        request.keysOnly = reader.bool();
        break;
      case varint(9):
        request.countOnly = reader.bool();
        break;
      case varint(10):
        request.minModRevision = reader.int64();
        break;
      case varint(11):
        request.maxModRevision = reader.int64();
        break;
      case varint(12):
        request.minCreateRevision = reader.int64();
        break;
      case varint(13):
        request.maxCreateRevision = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return request;
}

function readPut(reader: ProtoReader): PutRequest {
  let key = emptyBytes;
  let value = emptyBytes;
  let lease = 0n;
  let prevKv = false;
  let ignoreValue = false;
  let ignoreLease = false;
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case bytes(1):
        key = reader.slice();
        break;
      case bytes(2):
        value = reader.slice();
        break;
      case varint(3):
        lease = reader.int64Big();
        break;
      case varint(4):
        prevKv = reader.bool();
        break;
      case varint(5):
        ignoreValue = reader.bool();
        break;
      case varint(6):
        ignoreLease = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { key, value, lease, prevKv, ignoreValue, ignoreLease };
}

function readDeleteRange(reader: ProtoReader): DeleteRangeRequest {
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let prevKv = false;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === bytes(1)) key = reader.slice();
    else if (tag === bytes(2)) rangeEnd = reader.slice();
    else if (tag === varint(3)) prevKv = reader.bool();
    else reader.skip(tag);
  }
  return { key, rangeEnd, prevKv };
}

function readTxn(reader: ProtoReader, depth: number): TxnRequest {
  if (depth > limits.txnDepthMax) throw storeError("TooManyOps");
  const compares: Compare[] = [];
  const success: RequestOp[] = [];
  const failure: RequestOp[] = [];
  while (reader.more) {
    const tag = reader.tag();
    if (tag === bytes(1)) compares.push(readCompare(reader.message()));
    else if (tag === bytes(2)) success.push(readOp(reader.message(), depth));
    else if (tag === bytes(3)) failure.push(readOp(reader.message(), depth));
    else reader.skip(tag);
  }
  return { compares, success, failure };
}

function readOp(reader: ProtoReader, depth: number): RequestOp {
  let op: RequestOp = { kind: "none" };
  while (reader.more) {
    const tag = reader.tag();
    if (tag === bytes(1)) op = { kind: "range", request: readRange(reader.message()) };
    else if (tag === bytes(2)) op = { kind: "put", request: readPut(reader.message()) };
    else if (tag === bytes(3)) op = { kind: "deleteRange", request: readDeleteRange(reader.message()) };
    else if (tag === bytes(4)) op = { kind: "txn", request: readTxn(reader.message(), depth + 1) };
    else reader.skip(tag);
  }
  return op;
}

function readCompare(reader: ProtoReader): Compare {
  let result = 0;
  let target = 0;
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let operand: CompareOperand | undefined;
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case varint(1):
        result = reader.uint32();
        break;
      case varint(2):
        target = reader.uint32();
        break;
      case bytes(3):
        key = reader.slice();
        break;
      case varint(4):
        operand = { kind: "version", value: reader.int64() };
        break;
      case varint(5):
        operand = { kind: "create", value: reader.int64() };
        break;
      case varint(6):
        operand = { kind: "mod", value: reader.int64() };
        break;
      case bytes(7):
        operand = { kind: "value", value: reader.slice() };
        break;
      case varint(8):
        operand = { kind: "lease", value: reader.int64Big() };
        break;
      case bytes(64):
        rangeEnd = reader.slice();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { result, target, key, rangeEnd, operand };
}
