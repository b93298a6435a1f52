/** The bytes of a transaction, which may hold others; how deep is bounded, as encoding and applying recurse. */
import { limits } from "../base/limits.js";
import { TxnRequest } from "../gen/etcdserver.js";
import { GrpcCode, QuorateClientError } from "./errors.js";
import { bufferOf } from "./method.js";

/** Errors: `QuorateClientError` InvalidArgument for one that nests deeper than `limits.txnDepthMax`. */
export function encodeTxnRequest(request: TxnRequest): Buffer {
  checkDepth(request, 1);
  return bufferOf(TxnRequest.encode(request).finish());
}

function checkDepth(request: TxnRequest, depth: number): void {
  if (depth > limits.txnDepthMax) {
    const text = `transactions nest deeper than ${limits.txnDepthMax}`;
    throw new QuorateClientError(GrpcCode.InvalidArgument, text, false, undefined);
  }
  for (const { request: inner } of [...request.success, ...request.failure]) {
    if (inner?.$case === "requestTxn") checkDepth(inner.value, depth + 1);
  }
}
