/** The standard health service (grpc.health.v1): load balancers and etcd's own client ask it. */
import { HealthCheckRequest, HealthCheckResponse, HealthCheckResponse_ServingStatus } from "../gen/health.js";
import type { Member } from "../member/contract.js";
import { type RpcMethod, RpcStatus, StatusCode } from "../transport/rpc.js";
import { generatedCodec } from "./generated-codec.js";

/** "" is the server as a whole. */
const knownServices = new Set(["", "etcdserverpb.KV", "etcdserverpb.Cluster", "etcdserverpb.Maintenance"]);

export function grpcHealthMethods(member: Member): readonly RpcMethod[] {
  const codec = generatedCodec(HealthCheckRequest, HealthCheckResponse);
  const answer = (request: HealthCheckRequest): HealthCheckResponse => {
    if (!knownServices.has(request.service)) throw new RpcStatus(StatusCode.NotFound, "unknown service");
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    return { status: member.leader === 0n ? NOT_SERVING : SERVING };
  };
  return [{ kind: "unary", path: "/grpc.health.v1.Health/Check", ...codec, handle: answer }];
}
