/**
 * Ids for requests, unlike any other in the cluster and in this member's past: 16 bits of the member, and a count
 * of 48 bits that begins anywhere at each start. The time of the start would not do: a clock that is set back, or
 * that shows the same at every boot, gives the ids of an earlier life again, and an entry which that life left in
 * some log would answer a request of this one. Two lives of a million requests each have an id in common once in
 * 10^8 pairs of them, and it does harm only where both requests are under way at once.
 */
import type { MemberId, RequestId } from "../base/brand.js";
import { draw48Bits, type Random } from "../base/prng.js";

const countsMax = 2 ** 48;

export class RequestIds {
  private readonly origin: number;
  private readonly begin: number;
  /** The id in hand: its parts are read and written as numbers, as arithmetic of bigints makes one at each step. */
  private readonly bits = new DataView(new ArrayBuffer(8));

  /** `random` must be another stream at each start. */
  constructor(memberId: MemberId, random: Random) {
    this.origin = Number(memberId & 0xffffn);
    this.begin = draw48Bits(random);
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
