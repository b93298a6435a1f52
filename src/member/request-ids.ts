/**
 * Ids for requests, unlike any other in the cluster and in this member's past: 16 bits of the member, 40 of the
 * time of its start in ms (35 years), and a count that goes on from there. At a million requests a second the
 * count stays ahead of the next start's time only if the member was up; a restart takes a later time.
 */
import type { EpochMs, MemberId, RequestId } from "../base/brand.js";

const countBits = 48;

export class RequestIds {
  private readonly origin: bigint;
  private readonly begin: bigint;

  constructor(memberId: MemberId, startedMs: EpochMs) {
    this.origin = memberId & 0xffffn;
    this.begin = BigInt.asUintN(40, BigInt(startedMs)) << 8n;
  }

  /** The id of the request with this number in the member's life; its inverse is `numberOf`. */
  of(number: number): RequestId {
    return (this.origin << 48n) | BigInt.asUintN(countBits, this.begin + BigInt(number));
  }

  /** The number for which `of` gave `id`; undefined for an id of another member, and for most of another life. */
  numberOf(id: RequestId): number | undefined {
    if (id >> 48n !== this.origin) return undefined;
    return Number(BigInt.asUintN(countBits, id - this.begin));
  }
}
