/** How a call of the client fails: one class, with the gRPC code and the server's own words. */

/** gRPC status codes by name (grpc/grpc doc/statuscodes.md). */
export const GrpcCode = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode];

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

/** True where `error` is a failed call with this code, and (when given) exactly this text. */
export function isClientError(error: unknown, code: GrpcCode, text?: string): error is QuorateClientError {
  return (
    error instanceof QuorateClientError &&
    error.code === code &&
    (text === undefined || error.message === text)
  );
}
