/** The header of every answer, for the rpcs with generated codecs. */
import type { Revision } from "../base/brand.js";
import type { ResponseHeader } from "../gen/etcdserver.js";
import type { Member } from "../member/contract.js";

/** `revision` defaults to the store's when the answer is given. */
export function generatedHeader(member: Member, revision?: Revision): ResponseHeader {
  const header = member.header();
  return {
    clusterId: header.clusterId,
    memberId: header.memberId,
    revision: BigInt(revision ?? header.revision),
    raftTerm: BigInt(header.raftTerm),
  };
}
