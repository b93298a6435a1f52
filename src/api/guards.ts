/**
 * What is checked before any rpc of the client API: a learner answers little, and a client may ask to be refused
 * while there is no leader (metadata "hasleader").
 */
import { storeError } from "../base/errors.js";
import type { Member } from "../member/contract.js";
import type { CallContext, ResponseSink, RpcMethod } from "../transport/rpc.js";
import type { LeaderLoss } from "./leader-loss.js";

const learnerPaths = new Set([
  "/etcdserverpb.Maintenance/Status",
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
]);
const learnerReadPaths = new Set(["/etcdserverpb.KV/Range", "/etcdserverpb.KV/RangeStream"]);

/**
 * The same methods, refusing first what this member can not serve, and ending streams that want a leader when
 * there is none any more. Errors: NotSupportedForLearner, NoLeader.
 */
export function guarded(
  methods: readonly RpcMethod[],
  member: Member,
  leaderLoss: LeaderLoss,
): readonly RpcMethod[] {
  return methods.map((method) => guard(method, member, leaderLoss));
}

function guard(method: RpcMethod, member: Member, leaderLoss: LeaderLoss): RpcMethod {
  const wantsLeader = (call: CallContext): boolean => call.metadata("hasleader") === "true";
  const check = (request: unknown, call: CallContext): void => {
    if (member.isLearner && !servedByLearner(method.path, request))
      throw storeError("NotSupportedForLearner");
    if (wantsLeader(call) && member.leader === 0n) throw storeError("NoLeader");
  };
  switch (method.kind) {
    case "unary":
      return {
        ...method,
        handle: (request: unknown, call: CallContext) => {
          check(request, call);
          return method.handle(request, call);
        },
      };
    case "serverStream":
      return {
        ...method,
        handle: async (request: unknown, call: CallContext, sink: ResponseSink<unknown>) => {
          check(request, call);
          if (!wantsLeader(call)) return method.handle(request, call, sink);
          return leaderLoss.run(call, sink, (stream) => method.handle(request, stream, stream));
        },
      };
    case "bidi":
      return {
        ...method,
        handle: async (requests: AsyncIterable<unknown>, call: CallContext, sink: ResponseSink<unknown>) => {
          check(undefined, call);
          if (!wantsLeader(call)) return method.handle(requests, call, sink);
          return leaderLoss.run(call, sink, (stream) =>
            method.handle(stream.requests(requests), stream, stream),
          );
        },
      };
  }
}

function servedByLearner(path: string, request: unknown): boolean {
  if (learnerPaths.has(path)) return true;
  if (!learnerReadPaths.has(path)) return false;
  return (request as { readonly message: { readonly serializable: boolean } }).message.serializable;
}
