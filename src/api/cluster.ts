/** The Cluster service: who the members are. */
import { MemberListRequest, MemberListResponse, type Member as WireMember } from "../gen/etcdserver.js";
import type { Member, MemberInfo } from "../member/contract.js";
import type { RpcMethod, UnaryMethod } from "../transport/rpc.js";
import { generatedCodec } from "./generated-codec.js";
import { generatedHeader } from "./header.js";

export function clusterMethods(member: Member): readonly RpcMethod[] {
  return [memberList(member)];
}

function memberList(member: Member): UnaryMethod<MemberListRequest, MemberListResponse> {
  return {
    kind: "unary",
    path: "/etcdserverpb.Cluster/MemberList",
    ...generatedCodec(MemberListRequest, MemberListResponse),
    handle: async (request, call) => {
      if (request.linearizable) await member.linearize(call);
      // etcd leaves the revision of this header out.
      return { header: generatedHeader(member, 0), members: member.members().map(wireMember) };
    },
  };
}

function wireMember(info: MemberInfo): WireMember {
  return {
    ID: info.id,
    name: info.name,
    peerURLs: [...info.peerUrls],
    clientURLs: [...info.clientUrls],
    isLearner: info.isLearner,
  };
}
