/** How a call of the client fails: one class, with the gRPC code and the server's own words. */
import { GrpcCode } from "../base/grpc-code.js";
import type { ResponseHeader, WatchResponse } from "../gen/etcdserver.js";

export { GrpcCode } from "../base/grpc-code.js";

/** Name of a code, as gRPC libraries print it ("DeadlineExceeded"). */
export function grpcCodeName(code: number): string {
  for (const [name, value] of Object.entries(GrpcCode)) if (value === code) return name;
  return `Code(${code})`;
}

/**
 * A call failed. `message` is the server's text as it is ("etcdserver: mvcc: required revision has been
 * compacted"), or ours where the call did not get that far.
 *
 * After `DeadlineExceeded`, `Canceled` or `Unavailable` of a write with `mayHaveBeenApplied` true, the write
 * may have happened, or may still happen.
 */
export class QuorateClientError extends Error {
  override readonly name = "QuorateClientError";
  constructor(
    readonly code: GrpcCode,
    message: string,
    /** False where the request certainly never reached a server that could act on it, and for every read. */
    readonly mayHaveBeenApplied: boolean,
    /** The endpoint that answered, or that the call was sent to; undefined where it was not sent. */
    readonly endpoint: string | undefined,
  ) {
    super(message);
  }
}

const compactedText = "etcdserver: mvcc: required revision has been compacted";

/**
 * The server ended a watch. Where `compactRevision` is given, what the watch was to see next is forgotten below
 * that revision (code OutOfRange): read the keys anew and watch from the revision of that answer on.
 */
export class WatchCanceledError extends QuorateClientError {
  constructor(
    code: GrpcCode,
    message: string,
    readonly compactRevision: bigint | undefined,
    readonly header: ResponseHeader | undefined,
  ) {
    super(code, message, false, undefined);
  }
}

/** The error for an answer that cancels a watch. */
export function watchCanceled(response: WatchResponse): WatchCanceledError {
  const { compactRevision, cancelReason, header } = response;
  if (compactRevision > 0n) {
    return new WatchCanceledError(GrpcCode.OutOfRange, compactedText, compactRevision, header);
  }
  // Newer servers send a status as text, older ones its message alone.
  const status = /^rpc error: code = (\w+) desc = (.*)$/s.exec(cancelReason);
  const code = Object.entries(GrpcCode).find(([name]) => name === status?.[1])?.[1];
  const message = status?.[2] ?? (cancelReason === "" ? "the server canceled the watch" : cancelReason);
  return new WatchCanceledError(code ?? GrpcCode.FailedPrecondition, message, undefined, header);
}

/** The text that every call on a closed client fails with. */
export const closedText = "the client is closed";

/** True where `error` is a failed call with this code, and (when given) exactly this text. */
export function isClientError(error: unknown, code: GrpcCode, text?: string): error is QuorateClientError {
  return (
    error instanceof QuorateClientError &&
    error.code === code &&
    (text === undefined || error.message === text)
  );
}
