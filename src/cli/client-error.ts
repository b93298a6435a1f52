/** The text that etcdctl shows for a failed call. */
import { GrpcCode, grpcCodeName, QuorateClientError } from "../client/errors.js";

/** etcd's own errors as they are, a passed deadline in Go's words, the rest as gRPC for Go prints a status. */
export function clientErrorText(error: QuorateClientError): string {
  if (error.message.startsWith("etcdserver: ") || error.message.startsWith("etcdclient: "))
    return error.message;
  if (error.code === GrpcCode.DeadlineExceeded) return "context deadline exceeded";
  return `rpc error: code = ${grpcCodeName(error.code)} desc = ${error.message}`;
}

/** Any error of a call as text, for commands that go on after one. */
export function failureText(error: unknown): string {
  if (error instanceof QuorateClientError) return clientErrorText(error);
  return error instanceof Error ? error.message : String(error);
}
