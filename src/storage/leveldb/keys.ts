/**
 * Every kind of record in the store, by the first byte of its key. Numbers are never used again: a retired one
 * stays in this list with the version that last wrote it.
 *
 *   0x10 block  main u64, sub u32, size u32, crc32c u32 (big endian)   → block bytes (block-codec.ts)
 *   0x20 state  the key of a small record, latin1                      → crc32c u32, value (state-table.ts)
 *   0x30 mark   (nothing)                                              → what the store holds (mark.ts)
 *   retired: none
 *
 * Blocks come first and ascend, so that a new table file of LevelDB, which always holds the newest mark, spans
 * from the newest blocks upward and overlaps no older block: LevelDB moves old files down without rewriting them.
 *
 * A block's key carries size and checksum of the block as well. So a pass over keys alone, without reading one
 * block, tells the bytes in use and proves the whole content against the mark, and an old or foreign block in
 * the place of another is recognised.
 *
 * State keys and who owns them (names are fixed where they are used):
 *   raft/  mvcc/  (member/core)   member/ removed/ cluster/  (membership)   alarm/ (apply)   lease/ (lease)   auth
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import { allocateBytes, bytesToLatin1 } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";

export const recordKinds = { block: 0x10, state: 0x20, mark: 0x30 } as const;
export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

/** What a block's key says. */
export interface BlockKey {
  readonly main: Revision;
  readonly sub: number;
  readonly sizeBytes: number;
  readonly checksum: number;
}

const blockKeyBytes = 21;

export function encodeBlockKey(key: BlockKey): Uint8Array {
  const bytes = allocateBytes(blockKeyBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint8(0, recordKinds.block);
  view.setUint32(1, Math.floor(key.main / 2 ** 32));
  view.setUint32(5, key.main >>> 0);
  view.setUint32(9, key.sub);
  view.setUint32(13, key.sizeBytes);
  view.setUint32(17, key.checksum);
  return bytes;
}

/** Undefined when `bytes` is not the key of a block. */
export function decodeBlockKey(bytes: Uint8Array): BlockKey | undefined {
  if (bytes.length !== blockKeyBytes || bytes[0] !== recordKinds.block) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const main = view.getUint32(1) * 2 ** 32 + view.getUint32(5);
  if (!Number.isSafeInteger(main)) return undefined;
  return { main, sub: view.getUint32(9), sizeBytes: view.getUint32(13), checksum: view.getUint32(17) };
}

/** The lowest key that a block which starts at `main`.`sub` can have. */
export function lowestBlockKey(main: Revision, sub: number): Uint8Array {
  return encodeBlockKey({ main, sub, sizeBytes: 0, checksum: 0 });
}

/** The lowest key above all records of `kind`. */
export function endOfKind(kind: RecordKind): Uint8Array {
  return Uint8Array.of(kind + 1);
}

/** The lowest key of all records of `kind`. */
export function startOfKind(kind: RecordKind): Uint8Array {
  return Uint8Array.of(kind);
}

export function encodeStateKey(key: string): Uint8Array {
  assert(
    key.length > 0 && key.length <= limits.stateKeyBytesMax,
    "a state key has 1 to stateKeyBytesMax bytes",
  );
  const bytes = allocateBytes(1 + key.length);
  bytes[0] = recordKinds.state;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    assert(code <= 0xff, "a state key is a byte string");
    bytes[1 + at] = code;
  }
  return bytes;
}

/** The state key in a LevelDB key that starts with `recordKinds.state`. */
export function decodeStateKey(bytes: Uint8Array): string {
  return bytesToLatin1(bytes.subarray(1));
}

export const markKey: Uint8Array = Uint8Array.of(recordKinds.mark);
