/**
 * The bytes of a transaction. The generated codec leaves an empty `value` out of a compare, as proto3 does for
 * plain fields; but there it is one of a oneof, and a server reads "no value" as "equal to everything". Here a
 * value compare always carries its value. (wire-schema: Compare.target_union)
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { limits } from "../base/limits.js";
import { Compare, Compare_CompareTarget, RequestOp, type TxnRequest } from "../gen/etcdserver.js";
import { GrpcCode, QuorateClientError } from "./errors.js";
import { bufferOf } from "./method.js";

const compareTag = (1 << 3) | 2;
const successTag = (2 << 3) | 2;
const failureTag = (3 << 3) | 2;
const compareValueTag = (7 << 3) | 2;
const requestTxnTag = (4 << 3) | 2;

export function encodeTxnRequest(request: TxnRequest): Buffer {
  const writer = new BinaryWriter();
  writeTxn(request, writer, 1);
  return bufferOf(writer.finish());
}

function writeTxn(request: TxnRequest, writer: BinaryWriter, depth: number): void {
  if (depth > limits.txnDepthMax) {
    const text = `transactions nest deeper than ${limits.txnDepthMax}`;
    throw new QuorateClientError(GrpcCode.InvalidArgument, text, false, undefined);
  }
  for (const compare of request.compare) {
    Compare.encode(compare, writer.uint32(compareTag).fork());
    const emptyValue = compare.target === Compare_CompareTarget.VALUE && compare.value.length === 0;
    if (emptyValue) writer.uint32(compareValueTag).bytes(compare.value);
    writer.join();
  }
  for (const operation of request.success) writeOperation(operation, writer.uint32(successTag), depth);
  for (const operation of request.failure) writeOperation(operation, writer.uint32(failureTag), depth);
}

function writeOperation(operation: RequestOp, writer: BinaryWriter, depth: number): void {
  writer.fork();
  if (operation.requestTxn === undefined) RequestOp.encode(operation, writer);
  else {
    writer.uint32(requestTxnTag).fork();
    writeTxn(operation.requestTxn, writer, depth + 1);
    writer.join();
  }
  writer.join();
}
