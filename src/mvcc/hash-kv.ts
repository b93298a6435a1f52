/**
 * The hash that members compare, byte for byte etcd's: CRC32C over the name of its bucket, then over every
 * revision up to the one asked for, in order, as it lies in etcd's store: key `main _ sub` (8 bytes big-endian,
 * '_', 8 bytes big-endian; 't' behind it for a tombstone) and the stored pair.
 *
 * What compaction will drop must not count, as one member may have dropped it and another not. At or below the
 * compacted revision only what a read at the hash's revision sees is hashed; and a tombstone at the compacted
 * revision itself is left out, because older members drop it there.
 */
import type { Revision } from "../base/brand.js";
import { utf8Bytes } from "../base/bytes.js";
import { crc32c } from "../base/crc32c.js";
import { storeError } from "../base/errors.js";
import type { RevisionRecord } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { allKeys } from "./key-interval.js";
import { storedKey } from "./key-value.js";

export interface HashResult {
  readonly hash: number;
  /** The compacted revision that the hash was taken with; −1: never compacted. Only hashes with the same one compare. */
  readonly compactRevision: Revision;
  readonly hashRevision: Revision;
}

/** What the hash asks of the store. */
export interface HashSource {
  readonly index: KeyIndex;
  readonly compactedRevision: Revision;
  isAlive(record: RevisionRecord, upTo: Revision): boolean;
}

const underscore = 0x5f;
const tombstoneMark = 0x74;
const twoTo32 = 0x1_0000_0000;

export class HashKv {
  private hash = crc32c(utf8Bytes("key"));
  private readonly compactRevision: Revision;
  /** etcd's one exception: where no key exists at the hash's revision, everything that is stored counts. */
  private readonly isEmpty: boolean;
  private readonly revisionKey = new Uint8Array(18);

  constructor(
    private readonly source: HashSource,
    private readonly hashRevision: Revision,
  ) {
    this.compactRevision = source.compactedRevision;
    this.isEmpty = source.index.count(allKeys, hashRevision) === 0;
    this.revisionKey[8] = underscore;
    this.revisionKey[17] = tombstoneMark;
  }

  /**
   * Takes the next stored records: all of them in ascending order, over one or many calls. Errors: Compacted,
   * when the store was compacted since the hash was opened; the caller opens another.
   */
  feed(records: readonly RevisionRecord[]): void {
    if (this.source.compactedRevision !== this.compactRevision) throw storeError("Compacted");
    for (const record of records) {
      if (record.main > this.hashRevision) return;
      if (this.counts(record)) this.add(record);
    }
  }

  result(): HashResult {
    return { hash: this.hash, compactRevision: this.compactRevision, hashRevision: this.hashRevision };
  }

  private counts(record: RevisionRecord): boolean {
    if (record.main > this.compactRevision) return true;
    if (record.tombstone && record.main === this.compactRevision) return false;
    if (this.isEmpty) return this.source.isAlive(record, this.compactRevision);
    const seen = this.source.index.get(storedKey(record.keyValue), this.hashRevision);
    return seen !== undefined && seen.main === record.main && seen.sub === record.sub;
  }

  private add({ main, sub, tombstone, keyValue }: RevisionRecord): void {
    const { revisionKey } = this;
    setUint64(revisionKey, 0, main);
    setUint64(revisionKey, 9, sub);
    const afterKey = crc32c(revisionKey, this.hash, 0, tombstone ? 18 : 17);
    this.hash = crc32c(keyValue, afterKey);
  }
}

function setUint64(bytes: Uint8Array, at: number, value: number): void {
  let high = Math.floor(value / twoTo32);
  let low = value % twoTo32;
  for (let byte = 3; byte >= 0; byte--) {
    bytes[at + byte] = high & 0xff;
    bytes[at + 4 + byte] = low & 0xff;
    high >>>= 8;
    low >>>= 8;
  }
}
