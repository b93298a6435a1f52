/** The methods that a server serves, by path, and what all calls share. */
import type { Logger } from "../../base/logger.js";
import type { MetricRegistry } from "../../base/metrics.js";
import { type CallMeter, callMeter } from "../call-meter.js";
import { type ErrorMapper, type RpcMethod, RpcStatus, StatusCode } from "../rpc.js";

export interface GrpcServiceOptions {
  readonly methods: readonly RpcMethod[];
  readonly mapError: ErrorMapper;
  /** Largest message of a client, bytes. */
  readonly receiveBytesMax: number;
}

/** Who is at the other end of a connection. */
export interface PeerIdentity {
  /** "host:port" */
  readonly address: string;
  readonly certificateCommonName: string | undefined;
}

export interface ServedMethod {
  readonly method: RpcMethod;
  readonly meter: CallMeter;
}

export class GrpcService {
  private readonly methods: ReadonlyMap<string, ServedMethod>;
  private readonly services: ReadonlySet<string>;

  constructor(
    readonly options: GrpcServiceOptions,
    readonly deps: { readonly log: Logger; readonly calls: MetricRegistry | undefined },
  ) {
    this.methods = new Map(
      options.methods.map((method) => [method.path, { method, meter: callMeter(method, deps.calls) }]),
    );
    this.services = new Set(
      options.methods.map((method) => method.path.slice(1, method.path.lastIndexOf("/"))),
    );
  }

  find(path: string): ServedMethod | undefined {
    return this.methods.get(path);
  }

  /** Why there is no such method, in grpc-go's words. */
  unknownMethod(path: string): RpcStatus {
    const slash = path.lastIndexOf("/");
    if (!path.startsWith("/") || slash === 0) {
      return new RpcStatus(StatusCode.Unimplemented, `malformed method name: ${JSON.stringify(path)}`);
    }
    const service = path.slice(1, slash);
    if (!this.services.has(service))
      return new RpcStatus(StatusCode.Unimplemented, `unknown service ${service}`);
    const method = path.slice(slash + 1);
    return new RpcStatus(StatusCode.Unimplemented, `unknown method ${method} for service ${service}`);
  }
}
