/** etcd's hash rules, applied the slow way to everything that was ever written. */
import { crc32c } from "../../src/base/crc32c.js";
import { storedKey } from "../../src/mvcc/codec.js";
import type { RevisionRecord } from "../../src/mvcc/contract.js";

/** The newest record of every key at or below `main`. */
function newestAt(written: readonly RevisionRecord[], main: number): Map<string, RevisionRecord> {
  const newest = new Map<string, RevisionRecord>();
  for (const record of written) if (record.main <= main) newest.set(storedKey(record.keyValue), record);
  return newest;
}

export function hashByEtcdsRules(
  written: readonly RevisionRecord[],
  compacted: number,
  revision: number,
): number {
  const kept = new Set(newestAt(written, compacted).values());
  const stored = written.filter((record) => {
    if (record.main > compacted) return true;
    return kept.has(record) && (!record.tombstone || record.main === compacted);
  });
  const keep = new Set([...newestAt(written, revision).values()].filter((record) => !record.tombstone));
  let hash = crc32c(Buffer.from("key"));
  for (const record of stored) {
    if (record.main > revision) continue;
    if (record.main <= compacted && keep.size > 0 && !keep.has(record)) continue;
    if (record.main === compacted && record.tombstone) continue;
    const key = Buffer.alloc(record.tombstone ? 18 : 17, "t");
    key.writeBigUInt64BE(BigInt(record.main), 0);
    key.write("_", 8, "latin1");
    key.writeBigUInt64BE(BigInt(record.sub), 9);
    hash = crc32c(record.keyValue, crc32c(key, hash));
  }
  return hash;
}
