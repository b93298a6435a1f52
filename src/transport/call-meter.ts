/** Counts the calls of one method, as grpc-go's Prometheus interceptors do: the names and labels are theirs. */
import { Counter, type MetricRegistry } from "../base/metrics.js";
import { type RpcMethod, StatusCode } from "./rpc.js";

export interface CallMeter {
  readonly started: Counter;
  readonly received: Counter;
  readonly sent: Counter;
  /** Bytes of messages, of all methods together. */
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
  /** By status code. */
  readonly handled: readonly Counter[];
}

const kinds: Readonly<Record<RpcMethod["kind"], string>> = {
  unary: "unary",
  serverStream: "server_stream",
  bidi: "bidi_stream",
};

/** In the order of the codes, named as grpc-go names them. */
const codeNames = Object.keys(StatusCode).map((name) => (name === "Ok" ? "OK" : name));

/** `registry` undefined: the calls are counted and never shown. */
export function callMeter(
  method: Pick<RpcMethod, "kind" | "path">,
  registry: MetricRegistry | undefined,
): CallMeter {
  if (registry === undefined) {
    const handled = codeNames.map(() => new Counter());
    const counters = { started: new Counter(), received: new Counter(), sent: new Counter() };
    return { ...counters, receivedBytes: new Counter(), sentBytes: new Counter(), handled };
  }
  const slash = method.path.lastIndexOf("/");
  const labels = [kinds[method.kind], method.path.slice(1, slash), method.path.slice(slash + 1)];
  return {
    started: registry.counter("grpc_server_started_total", ...labels),
    received: registry.counter("grpc_server_msg_received_total", ...labels),
    sent: registry.counter("grpc_server_msg_sent_total", ...labels),
    receivedBytes: registry.counter("etcd_network_client_grpc_received_bytes_total"),
    sentBytes: registry.counter("etcd_network_client_grpc_sent_bytes_total"),
    handled: codeNames.map((name) => registry.counter("grpc_server_handled_total", ...labels, name)),
  };
}
