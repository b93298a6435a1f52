/**
 * Byte strings. Keys travel as `Uint8Array` and are indexed as latin1 JavaScript strings: one character a byte,
 * so that `<` on strings is the byte order and V8 keeps them at one byte a character.
 *
 * Node's Buffer is used where it is there (native loops), reached through a narrow type so that the pure rooms
 * compile without Node's declarations.
 */
interface NativeBytes extends Uint8Array {
  latin1Slice(start: number, end: number): string;
  equals(other: Uint8Array): boolean;
}
interface NativeBuffers {
  readonly prototype: NativeBytes;
  from(text: string, encoding: "latin1" | "utf8" | "hex"): NativeBytes;
  from(buffer: ArrayBufferLike, offset: number, length: number): NativeBytes;
  concat(parts: readonly Uint8Array[], totalBytes?: number): NativeBytes;
  compare(a: Uint8Array, b: Uint8Array): number;
  allocUnsafe(sizeBytes: number): NativeBytes;
  allocUnsafeSlow(sizeBytes: number): NativeBytes;
}

const native = (globalThis as unknown as { Buffer: NativeBuffers }).Buffer;
/** It takes any Uint8Array. */
const { latin1Slice } = native.prototype;

/** No bytes. Shared: never written to, as it has none. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The bytes from `start` to `end` as a latin1 string: character code = byte. */
export function bytesToLatin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return latin1Slice.call(bytes, start, end);
}

/** The bytes of a latin1 string (see `bytesToLatin1`). */
export function latin1ToBytes(text: string): Uint8Array {
  return native.from(text, "latin1");
}

/** UTF-8 bytes of a string. */
export function utf8Bytes(text: string): Uint8Array {
  return native.from(text, "utf8");
}

/** All parts in a row, in fresh memory. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return native.concat(parts);
}

/** How many bytes a message has that is encoded in one piece or several. */
export function partsBytes(parts: Uint8Array | readonly Uint8Array[]): number {
  if (parts instanceof Uint8Array) return parts.length;
  let bytes = 0;
  for (let i = 0; i < parts.length; i++) bytes += parts[i]!.length;
  return bytes;
}

/** Byte order: negative, zero, positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return native.compare(a, b);
}

/** Same length and same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && native.compare(a, b) === 0;
}

/**
 * Memory for short or like-lived bytes, contents undefined until written: small pieces share a pool of Node's
 * (`Buffer.poolSize`, raised in server/run-server.ts), as an ArrayBuffer each costs more than filling it.
 */
export function allocatePooledBytes(sizeBytes: number): Uint8Array {
  return native.allocUnsafe(sizeBytes);
}

/** Fresh memory of its own (not part of a shared pool), contents undefined until written. */
export function allocateBytes(sizeBytes: number): Uint8Array {
  return native.allocUnsafeSlow(sizeBytes);
}

/** A copy for a short life, in the pool. */
export function copyPooledBytes(bytes: Uint8Array): Uint8Array {
  const copy = native.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy;
}

/** A copy that does not keep the memory alive that it was cut from. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = native.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
