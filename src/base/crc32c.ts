/**
 * CRC32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as iSCSI (RFC 3720 section 12.1) and etcd's log use it.
 * Sliced by sixteen: sixteen tables let one step take sixteen bytes, as four words where there are many.
 */
const polynomial = 0x82f63b78;
const slices = 16;
/** Of signed numbers: an unsigned one above 2^31 would be a floating-point number on its way through the loop. */
const tables = new Int32Array(slices * 256);
/** For less, making the view of words costs more than it saves. */
const wordBytesMin = 1024;
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  tables[byte] = crc;
}
for (let byte = 0; byte < 256; byte++) {
  for (let slice = 1; slice < slices; slice++) {
    const previous = tables[(slice - 1) * 256 + byte]!;
    tables[slice * 256 + byte] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
}

/**
 * The checksum of `bytes` from `start` to `end`, continuing from the checksum `previous` of what came before
 * (0 at the beginning): `crc32c(b, crc32c(a)) === crc32c(ab)`.
 */
export function crc32c(bytes: Uint8Array, previous = 0, start = 0, end = bytes.length): number {
  if (end - start < wordBytesMin || !isLittleEndian) return ~ofBytes(bytes, ~previous, start, end) >>> 0;
  const wordsStart = start + (-(bytes.byteOffset + start) & 3);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + wordsStart, ((end - wordsStart) >>> 4) * 4);
  const crc = ofWords(words, ofBytes(bytes, ~previous, start, wordsStart));
  return ~ofBytes(bytes, crc, wordsStart + words.byteLength, end) >>> 0;
}

/** Sliced by eight, which is the quicker one here. */
function ofBytes(bytes: Uint8Array, before: number, start: number, end: number): number {
  let crc = before;
  let at = start;
  for (const last = end - 7; at < last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      tables[1792 + (crc & 0xff)]! ^
      tables[1536 + ((crc >>> 8) & 0xff)]! ^
      tables[1280 + ((crc >>> 16) & 0xff)]! ^
      tables[1024 + (crc >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!;
  return crc;
}

/** `words` are a multiple of four. */
function ofWords(words: Int32Array, before: number): number {
  let crc = before;
  for (let at = 0; at < words.length; at += 4) {
    const first = crc ^ words[at]!;
    const second = words[at + 1]!;
    const third = words[at + 2]!;
    const fourth = words[at + 3]!;
    crc =
      tables[3840 + (first & 0xff)]! ^
      tables[3584 + ((first >>> 8) & 0xff)]! ^
      tables[3328 + ((first >>> 16) & 0xff)]! ^
      tables[3072 + (first >>> 24)]! ^
      tables[2816 + (second & 0xff)]! ^
      tables[2560 + ((second >>> 8) & 0xff)]! ^
      tables[2304 + ((second >>> 16) & 0xff)]! ^
      tables[2048 + (second >>> 24)]! ^
      tables[1792 + (third & 0xff)]! ^
      tables[1536 + ((third >>> 8) & 0xff)]! ^
      tables[1280 + ((third >>> 16) & 0xff)]! ^
      tables[1024 + (third >>> 24)]! ^
      tables[768 + (fourth & 0xff)]! ^
      tables[512 + ((fourth >>> 8) & 0xff)]! ^
      tables[256 + ((fourth >>> 16) & 0xff)]! ^
      tables[fourth >>> 24]!;
  }
  return crc;
}
