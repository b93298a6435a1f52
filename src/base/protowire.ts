/**
 * Protobuf's wire format for hot paths: numbers instead of bigints where the value is a safe integer by
 * contract, sub-slices instead of copies. Cold messages use the generated codecs in gen/.
 * Source: protobuf.dev, "Encoding".
 */
import { allocatePooledBytes } from "./bytes.js";

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

/** The input is not protobuf. A transport answers it as etcd does; it is never an assertion. */
export class ProtoError extends Error {
  override readonly name = "ProtoError";
}

const twoTo32 = 0x1_0000_0000;
const safeHighMax = 0x1f_ffff;
/** Takes a bigint apart, or puts one together, without the bigints in between that shifts and masks make. */
const halves = new DataView(new ArrayBuffer(8));

/** Reads fields from `bytes`; slices that it returns share memory with `bytes`. */
export class ProtoReader {
  private at: number;
  private readonly end: number;

  constructor(
    private readonly bytes: Uint8Array,
    start = 0,
    end = bytes.length,
  ) {
    this.at = start;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new ProtoError("illegal tag 0");
    return tag;
  }

  /** An unsigned varint of 32 bits; a longer one is cut to its low 32 bits, as protobuf does. */
  uint32(): number {
    const { bytes } = this;
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    for (let extra = 0; extra < 5; extra++) if (this.byte() < 0x80) return value >>> 0;
    throw new ProtoError(`varint longer than 10 bytes at ${this.at} of ${bytes.length}`);
  }

  bool(): boolean {
    const [low, high] = this.varint64();
    return low !== 0 || high !== 0;
  }

  /**
   * A signed 64-bit varint as a number. Beyond ±2^53 it is clamped to the nearest safe integer: revisions,
   * limits and times are far below, and a client that sends 2^63−1 for "no limit" means just that.
   */
  int64(): number {
    // Up to four bytes need no pair of halves, and most have no more.
    const { bytes, end } = this;
    let small = 0;
    for (let at = this.at, shift = 0; at < end && shift < 28; shift += 7) {
      const byte = bytes[at++]!;
      small |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.at = at;
      return small;
    }
    const [low, high] = this.varint64();
    const signedHigh = high | 0;
    if (signedHigh >= 0) {
      return signedHigh > safeHighMax ? Number.MAX_SAFE_INTEGER : signedHigh * twoTo32 + low;
    }
    if (signedHigh < -safeHighMax - 1) return Number.MIN_SAFE_INTEGER;
    const value = signedHigh * twoTo32 + low;
    return value < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : value;
  }

  /** An unsigned 64-bit varint as a bigint: for ids. */
  uint64Big(): bigint {
    const [low, high] = this.varint64();
    if (high === 0) return BigInt(low);
    halves.setUint32(0, high);
    halves.setUint32(4, low);
    return halves.getBigUint64(0);
  }

  /** A signed 64-bit varint as a bigint: for lease ids. */
  int64Big(): bigint {
    return BigInt.asIntN(64, this.uint64Big());
  }

  /** A length-delimited field, as a slice of the input. */
  slice(): Uint8Array {
    const length = this.uint32();
    const start = this.at;
    const end = start + length;
    if (end > this.end) throw new ProtoError("unexpected EOF");
    this.at = end;
    return this.bytes.subarray(start, end);
  }

  /** A reader of a length-delimited submessage. */
  message(): ProtoReader {
    const length = this.uint32();
    const start = this.at;
    const end = start + length;
    if (end > this.end) throw new ProtoError("unexpected EOF");
    this.at = end;
    return new ProtoReader(this.bytes, start, end);
  }

  /** Passes over a field of which the tag was just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireVarint:
        this.varint64();
        return;
      case wireFixed64:
        this.forward(8);
        return;
      case wireBytes:
        this.forward(this.uint32());
        return;
      case wireFixed32:
        this.forward(4);
        return;
      default:
        throw new ProtoError(`cannot skip wire type ${tag & 7}`);
    }
  }

  private forward(count: number): void {
    if (this.at + count > this.end) throw new ProtoError("unexpected EOF");
    this.at += count;
  }

  private byte(): number {
    if (this.at >= this.end) throw new ProtoError("unexpected EOF");
    return this.bytes[this.at++]!;
  }

  private varint64(): readonly [low: number, high: number] {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return [low >>> 0, 0];
    }
    const middle = this.byte();
    low |= (middle & 0x0f) << 28;
    let high = (middle & 0x7f) >>> 4;
    if (middle < 0x80) return [low >>> 0, high];
    for (let shift = 3; shift < 38; shift += 7) {
      const byte = this.byte();
      if (shift < 32) high |= (byte & 0x7f) << shift;
      if (byte < 0x80) return [low >>> 0, high >>> 0];
    }
    throw new ProtoError("varint longer than 10 bytes");
  }
}

/** Bytes that `int64`/`uint64` of a number takes as a varint. Negative numbers take ten. */
export function varintSize(value: number): number {
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** The same for a 64-bit id. */
export function varintBigSize(value: bigint): number {
  halves.setBigUint64(0, value);
  const high = halves.getUint32(0);
  if (high <= safeHighMax) return varintSize(high * twoTo32 + halves.getUint32(4));
  return largeVarintSize(high);
}

/** For a number above 2^53: 56 bits fit into eight groups of seven, 63 into nine. */
function largeVarintSize(high: number): number {
  return high < 0x100_0000 ? 8 : high < 0x8000_0000 ? 9 : 10;
}

/** Bytes of a field with a one-byte tag and a number, left out when 0. */
export function int64FieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a field with a one-byte tag and so many bytes in it. */
export function bytesFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/**
 * Writes fields into memory that grows. `finish` gives a slice of it; `reset` starts again in the same memory,
 * for callers that copy or send before the next use.
 */
export class ProtoWriter {
  private bytes: Uint8Array;
  private view = 0;

  /** Begins with so much memory, or in the memory given. */
  constructor(memory: number | Uint8Array = 256) {
    this.bytes = typeof memory === "number" ? allocatePooledBytes(memory) : memory;
  }

  get length(): number {
    return this.view;
  }

  /** What was written so far; shares memory with the writer. */
  finish(): Uint8Array {
    return this.view === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.view);
  }

  /** What was written so far and whatever follows, until the next write: to read, and to change what was written. */
  get memory(): Uint8Array {
    return this.bytes;
  }

  /** Goes back to where so much was written. */
  reset(length = 0): void {
    this.view = length;
  }

  /** A non-negative safe integer as a varint. */
  varint(value: number): this {
    if (value < 0) return this.varintBig(BigInt(value));
    // Memory of the exact size must not grow at its end only because a longer number might have come.
    if (this.view + 10 > this.bytes.length) this.reserve(varintSize(value));
    const { bytes } = this;
    let at = this.view;
    let rest = value;
    while (rest >= 0x1000_0000) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.view = at;
    return this;
  }

  /** A 64-bit id as a varint; negative ones as two's complement. */
  varintBig(value: bigint): this {
    halves.setBigUint64(0, value);
    return this.varint64(halves.getUint32(4), halves.getUint32(0));
  }

  /** The varint of `high` × 2^32 + `low`, both of 32 bits. */
  private varint64(low: number, high: number): this {
    if (high <= safeHighMax) return this.varint(high * twoTo32 + low);
    // As in varint: an id at the end of memory of the exact size.
    if (this.view + 10 > this.bytes.length) this.reserve(largeVarintSize(high));
    const { bytes } = this;
    let at = this.view;
    // Four groups of seven bits lie in the low half, one in both, and what is left in the high one.
    for (let shift = 0; shift < 28; shift += 7) bytes[at++] = ((low >>> shift) & 0x7f) | 0x80;
    bytes[at++] = (low >>> 28) | ((high & 0x07) << 4) | 0x80;
    let rest = high >>> 3;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.view = at;
    return this;
  }

  /** Field with a number, left out when 0 (proto3). */
  int64Field(field: number, value: number): this {
    return value === 0 ? this : this.varint(field << 3).varint(value);
  }

  /** Field with an id, left out when 0 (proto3). */
  bigField(field: number, value: bigint): this {
    return value === 0n ? this : this.varint(field << 3).varintBig(value);
  }

  /** Field with a boolean, left out when false (proto3). */
  boolField(field: number, value: boolean): this {
    return value ? this.varint(field << 3).varint(1) : this;
  }

  /** Field with bytes, left out when empty (proto3). */
  bytesField(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.bytesFieldAlways(field, value);
  }

  /** Field with bytes, written even when empty: submessages and members of a oneof. */
  bytesFieldAlways(field: number, value: Uint8Array): this {
    this.varint(field * 8 + wireBytes).varint(value.length);
    return this.raw(value);
  }

  /** A submessage that `write` fills; its length is put in front. */
  messageField(field: number, write: (writer: this) => void): this {
    this.varint(field * 8 + wireBytes);
    const start = this.view;
    this.reserve(1);
    this.view = start + 1;
    write(this);
    const length = this.view - start - 1;
    const extra = varintSize(length) - 1;
    if (extra > 0) {
      this.reserve(extra);
      this.bytes.copyWithin(start + 1 + extra, start + 1, start + 1 + length);
    }
    this.view = start;
    this.varint(length);
    this.view += length;
    return this;
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): this {
    this.reserve(value.length);
    this.bytes.set(value, this.view);
    this.view += value.length;
    return this;
  }

  private reserve(count: number): void {
    const need = this.view + count;
    if (need <= this.bytes.length) return;
    const grown = allocatePooledBytes(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.view));
    this.bytes = grown;
  }
}
