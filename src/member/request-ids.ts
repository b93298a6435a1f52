/**
 * Ids for requests, unlike any other in the cluster and in this member's past: 16 bits of the member, 40 of the
 * time of its start in ms (35 years), and a count that goes on from there. At a million requests a second the
 * count stays ahead of the next start's time only if the member was up; a restart takes a later time.
 */
import type { EpochMs, MemberId, RequestId } from "../base/brand.js";

/** One more each call. */
export function requestIds(memberId: MemberId, startedMs: EpochMs): () => RequestId {
  const prefix = (memberId & 0xffffn) << 48n;
  let count = (BigInt(startedMs) & 0xff_ffff_ffffn) << 8n;
  return () => {
    count = (count + 1n) & 0xffff_ffff_ffffn;
    return prefix | count;
  };
}
