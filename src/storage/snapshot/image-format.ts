/**
 * An image of the store as a stream of bytes, numbers big endian:
 *
 *   header    "quorate store image\n", format version u32, length of the mark u32, the mark (leveldb/mark.ts)
 *   records   key length u32, value length u32, key, value: blocks and state records as LevelDB holds them, in order
 *   trailer   0xffffffff, count of records u64, SHA-256 of every byte before it
 *
 * A cut stream lacks the trailer, a damaged one fails the digest. What a sender's disk damaged before the digest was
 * made fails the checksums of the records, or does not fit the mark. Nothing may follow the trailer.
 */
import { allocateBytes, concatBytes, latin1ToBytes } from "../../base/bytes.js";
import { decodeBlock } from "../leveldb/block-codec.js";
import { decodeBlockKey, recordKinds } from "../leveldb/keys.js";
import type { ContentSummary } from "../leveldb/mark.js";
import { decodeState } from "../leveldb/state-table.js";

export const imageMagic: Uint8Array = latin1ToBytes("quorate store image\n");
export const imageVersion = 1;
/** In the place of a key length: the trailer. */
export const trailerSign = 0xffff_ffff;
export const digestBytes = 32;
/** A mark of any version is shorter. */
export const markBytesMax = 4_096;

export function encodeImageHeader(mark: Uint8Array): Uint8Array {
  return concatBytes([imageMagic, uint32(imageVersion), uint32(mark.length), mark]);
}

/** What stands before the digest in the trailer. */
export function encodeTrailerCount(records: number): Uint8Array {
  return concatBytes([uint32(trailerSign), uint32(Math.floor(records / 2 ** 32)), uint32(records >>> 0)]);
}

/** What stands before key and value of a record. */
export function encodeRecordLengths(keyBytes: number, valueBytes: number): Uint8Array {
  return concatBytes([uint32(keyBytes), uint32(valueBytes)]);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

/** Verifies a record and adds it to `content`; says what is wrong with it, if anything. */
export function checkRecord(key: Uint8Array, value: Uint8Array, content: ContentSummary): string | undefined {
  if (key[0] === recordKinds.block) {
    const blockKey = decodeBlockKey(key);
    if (blockKey === undefined) return "a block has a malformed key";
    const block = decodeBlock(value, blockKey);
    if (typeof block === "string") return `the block at revision ${blockKey.main}.${blockKey.sub} ${block}`;
    content.addBlock(key);
    return undefined;
  }
  if (key[0] !== recordKinds.state) return "there is a record of an unknown kind";
  const state = decodeState(key, value);
  if (state === undefined) return "a state record fails its checksum";
  content.addState(state.checksum);
  return undefined;
}

function uint32(value: number): Uint8Array {
  const bytes = allocateBytes(4);
  new DataView(bytes.buffer, bytes.byteOffset, 4).setUint32(0, value);
  return bytes;
}
