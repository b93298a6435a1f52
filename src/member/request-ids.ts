/**
 * Ids for requests, unlike any other in the cluster and in this member's past: 16 bits of the member, 40 of the
 * time of its start in ms (35 years), and a count that goes on from there. At a million requests a second the
 * count stays ahead of the next start's time only if the member was up; a restart takes a later time.
 */
import type { EpochMs, MemberId, RequestId } from "../base/brand.js";

const countsMax = 2 ** 48;

export class RequestIds {
  private readonly origin: number;
  private readonly begin: number;
  /** The id in hand: its parts are read and written as numbers, as arithmetic of bigints makes one at each step. */
  private readonly bits = new DataView(new ArrayBuffer(8));

  constructor(memberId: MemberId, startedMs: EpochMs) {
    this.origin = Number(memberId & 0xffffn);
    this.begin = Number(BigInt.asUintN(40, BigInt(startedMs)) << 8n);
  }

  /** The id of the request with this number in the member's life; its inverse is `numberOf`. */
  of(number: number): RequestId {
    const { bits } = this;
    const count = (this.begin + number) % countsMax;
    bits.setUint16(0, this.origin);
    bits.setUint16(2, count / 2 ** 32);
    bits.setUint32(4, count);
    return bits.getBigUint64(0);
  }

  /** The number for which `of` gave `id`; undefined for an id of another member, and for most of another life. */
  numberOf(id: RequestId): number | undefined {
    const { bits } = this;
    bits.setBigUint64(0, id);
    if (bits.getUint16(0) !== this.origin) return undefined;
    const count = bits.getUint16(2) * 2 ** 32 + bits.getUint32(4);
    return count >= this.begin ? count - this.begin : count - this.begin + countsMax;
  }
}
