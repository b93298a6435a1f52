/**
 * Small records, all of them in memory: they are few (members, users, leases, marks of the store) and read at
 * once and in order, which LevelDB can not do synchronously.
 */
import { allocatePooledBytes, bytesToLatin1, latin1ToBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import { encodeStateKey } from "./keys.js";

interface StateRecord {
  /**
   * As last set, as a latin1 string: a lease's takes a tenth of the memory that it would as bytes. Undefined when
   * removed and LevelDB holds it still.
   */
  value: string | undefined;
  /**
   * Checksum of the record as LevelDB holds it; undefined where it does not. As a signed number: V8 keeps one of those
   * in the record itself, where one above 2^31 takes 16 bytes beside it.
   */
  durableChecksum: number | undefined;
}

function recordBytes(key: string, value: string | undefined): number {
  return value === undefined ? 0 : key.length + value.length;
}

export class StateTable {
  private readonly records = new Map<string, StateRecord>();
  private bytes = 0;

  /** Bytes of all keys and values as last set. */
  get sizeBytes(): number {
    return this.bytes;
  }

  get(key: string): Uint8Array | undefined {
    const value = this.records.get(key)?.value;
    return value === undefined ? undefined : latin1ToBytes(value);
  }

  /** `value` as a latin1 string. The durable record stays until `makeDurable`. */
  set(key: string, value: string | undefined): void {
    const record = this.records.get(key);
    this.bytes += recordBytes(key, value) - recordBytes(key, record?.value);
    if (record !== undefined) record.value = value;
    else if (value !== undefined) this.records.set(key, { value, durableChecksum: undefined });
  }

  list(prefix: string): (readonly [key: string, value: Uint8Array])[] {
    const found: (readonly [key: string, value: Uint8Array])[] = [];
    for (const [key, { value }] of this.records) {
      if (value !== undefined && key.startsWith(prefix)) found.push([key, latin1ToBytes(value)]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Checksum of the record in LevelDB; undefined when it holds none. */
  durableChecksum(key: string): number | undefined {
    const checksum = this.records.get(key)?.durableChecksum;
    return checksum === undefined ? undefined : checksum >>> 0;
  }

  /** LevelDB now holds `key` with this checksum, or (undefined) no longer. */
  makeDurable(key: string, checksum: number | undefined): void {
    const record = this.records.get(key);
    if (record === undefined) return;
    record.durableChecksum = checksum === undefined ? undefined : checksum | 0;
    if (record.value === undefined && checksum === undefined) this.records.delete(key);
  }

  /** A record that LevelDB holds, at start. */
  load(key: string, bytes: Uint8Array, checksum: number): void {
    const value = bytesToLatin1(bytes);
    this.bytes += recordBytes(key, value) - recordBytes(key, this.records.get(key)?.value);
    this.records.set(key, { value, durableChecksum: checksum | 0 });
  }
}

export interface StoredState {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

/** A state record as LevelDB holds it: crc32c over key and value, then the value. */
export function encodeState(key: string, value: Uint8Array): StoredState {
  const bytes = allocatePooledBytes(4 + value.length);
  bytes.set(value, 4);
  const checksum = stateChecksum(encodeStateKey(key), value);
  new DataView(bytes.buffer, bytes.byteOffset, 4).setUint32(0, checksum);
  return { bytes, checksum };
}

/** The value, as a part of `bytes`, and the checksum, or undefined when the record is damaged. */
export function decodeState(
  encodedKey: Uint8Array,
  bytes: Uint8Array,
): { readonly value: Uint8Array; readonly checksum: number } | undefined {
  if (bytes.length < 4) return undefined;
  const checksum = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  const value = bytes.subarray(4);
  if (stateChecksum(encodedKey, value) !== checksum) return undefined;
  return { value, checksum };
}

function stateChecksum(encodedKey: Uint8Array, value: Uint8Array): number {
  return crc32c(value, crc32c(encodedKey));
}
