/** Stand-ins for what the store needs from outside, kept in memory. */
import type { LeaseId, Revision } from "../../src/base/brand.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import type { Change, ChangeSink } from "../../src/mvcc/changes.js";
import type { LeaseBook, RevisionLog, RevisionRecord, RevisionSlice } from "../../src/mvcc/contract.js";
import { locateEach, type ReadBatch, type ReadBudget } from "../../src/mvcc/read-batch.js";
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
  wholeRange,
} from "../../src/mvcc/requests.js";
import { MvccStore, type MvccStoreOptions } from "../../src/mvcc/store.js";

/** Records as a restart gets them: in one piece of memory. */
export function sliceOf(records: readonly RevisionRecord[]): RevisionSlice {
  const ends = [7];
  for (const { keyValue } of records) ends.push(ends.at(-1)! + keyValue.length);
  const bytes = new Uint8Array(ends.at(-1)! + 7).fill(0xff);
  records.forEach(({ keyValue }, position) => void bytes.set(keyValue, ends[position]!));
  return {
    count: records.length,
    bytes,
    mainAt: (position) => records[position]!.main,
    subAt: (position) => records[position]!.sub,
    isTombstone: (position) => records[position]!.tombstone,
    valueStart: (position) => ends[position]!,
  };
}

/** A revision log in a list, with a compaction that drops what is not alive. */
export class MemoryLog implements RevisionLog {
  readonly loadedBytes = 0;
  records: RevisionRecord[] = [];
  private readonly byRevision = new Map<string, RevisionRecord>();

  read(main: Revision, sub: number): Uint8Array {
    const record = this.byRevision.get(`${main}.${sub}`);
    if (record === undefined) throw new Error(`revision ${main}.${sub} is not in the log`);
    return record.keyValue;
  }

  locate(batch: ReadBatch, budget: ReadBudget): void {
    locateEach(batch, budget, { log: this, bytesOf: (at) => this.read(batch.mains[at]!, batch.subs[at]!) });
  }

  append(main: Revision, sub: number, tombstone: boolean, keyValue: Uint8Array): void {
    const last = this.records.at(-1);
    if (last !== undefined && (main < last.main || (main === last.main && sub <= last.sub))) {
      throw new Error(`revision ${main}.${sub} after ${last.main}.${last.sub}`);
    }
    const record = { main, sub, tombstone, keyValue };
    this.records.push(record);
    this.byRevision.set(`${main}.${sub}`, record);
  }

  compact(isAlive: (record: RevisionRecord) => boolean): void {
    const kept = this.records.filter(isAlive);
    this.records = kept;
    this.byRevision.clear();
    for (const record of kept) this.byRevision.set(`${record.main}.${record.sub}`, record);
  }
}

/** Leases with their keys; says no to what a real book would take for a bug. */
export class MemoryLeases implements LeaseBook {
  readonly keys = new Map<LeaseId, Set<string>>();

  grant(lease: LeaseId): void {
    this.keys.set(lease, new Set());
  }

  exists(lease: LeaseId): boolean {
    return this.keys.has(lease);
  }

  attach(lease: LeaseId, key: string): void {
    const keys = this.keys.get(lease);
    if (keys === undefined || keys.has(key)) throw new Error(`cannot attach ${key} to ${lease}`);
    keys.add(key);
  }

  detach(lease: LeaseId, key: string): void {
    if (this.keys.get(lease)?.delete(key) !== true) throw new Error(`${key} is not on ${lease}`);
  }
}

/** Remembers every committed transaction. */
export class ChangeList implements ChangeSink {
  readonly batches: { readonly revision: Revision; readonly changes: readonly Change[] }[] = [];

  committed(revision: Revision, changes: readonly Change[]): void {
    this.batches.push({ revision, changes });
  }
}

export interface Bench {
  readonly store: MvccStore;
  readonly log: MemoryLog;
  readonly leases: MemoryLeases;
  readonly changes: ChangeList;
}

/** A fresh store with its surroundings. */
export function freshStore(options: MvccStoreOptions = {}, deps: Partial<Omit<Bench, "store">> = {}): Bench {
  const log = deps.log ?? new MemoryLog();
  const leases = deps.leases ?? new MemoryLeases();
  const changes = deps.changes ?? new ChangeList();
  return { store: new MvccStore(options, { log, leases, changes }), log, leases, changes };
}

export function range(key: string, rangeEnd = "", more: Partial<RangeRequest> = {}): RangeRequest {
  return { ...wholeRange, key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd), ...more };
}

export function put(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  return {
    key: latin1ToBytes(key),
    value: latin1ToBytes(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...more,
  };
}

export function del(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
  return { key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd), prevKv };
}

export function txn(parts: Partial<TxnRequest>): TxnRequest {
  return { compares: [], success: [], failure: [], ...parts };
}
