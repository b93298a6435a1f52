/**
 * What was appended and set and LevelDB does not hold yet, in units that become durable whole and in order.
 */
import { assert } from "../../base/assert.js";
import type { Index, Revision } from "../../base/brand.js";
import type { RevisionRecord } from "../../mvcc/contract.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { directoryEntryBytes, recordBytes, subMax } from "./block-codec.js";

/** Key → new value, or undefined for removed. */
export type StateChanges = ReadonlyMap<string, Uint8Array | undefined>;

interface Unit {
  readonly applied: AppliedMark;
  readonly recordCount: number;
  readonly bytes: number;
  readonly state: StateChanges;
}

/** Whole units for one batch. */
export interface UnitGroup {
  readonly applied: AppliedMark;
  readonly unitCount: number;
  readonly records: readonly RevisionRecord[];
  readonly state: StateChanges;
  readonly bytes: number;
}

const noChanges: StateChanges = new Map();

export class PendingUnits {
  private records: RevisionRecord[] = [];
  private readonly units: Unit[] = [];
  private openRecords = 0;
  private openBytes = 0;
  private openState: Map<string, Uint8Array | undefined> | undefined;
  private totalBytes = 0;

  /** Bytes of everything pending, sealed or not. */
  get bytes(): number {
    return this.totalBytes;
  }

  /** `keyValue` is taken over as it is. Answers the record that was made. */
  append(main: Revision, sub: number, tombstone: boolean, keyValue: Uint8Array): RevisionRecord {
    assert(sub >= 0 && sub <= subMax && Number.isSafeInteger(main), "a revision is two counts");
    const record: RevisionRecord = { main, sub, tombstone, keyValue };
    this.records.push(record);
    this.openRecords++;
    this.addOpenBytes(directoryEntryBytes + keyValue.length);
    return record;
  }

  /** `value` is taken over as it is. */
  setState(key: string, value: Uint8Array | undefined): void {
    this.openState ??= new Map();
    this.openState.set(key, value);
    this.addOpenBytes(key.length + (value?.length ?? 0));
  }

  seal(applied: AppliedMark): void {
    const newest = this.units.at(-1)?.applied;
    assert(newest === undefined || applied.index >= newest.index, "units are sealed in the order of the log");
    this.units.push({
      applied,
      recordCount: this.openRecords,
      bytes: this.openBytes,
      state: this.openState ?? noChanges,
    });
    this.openRecords = 0;
    this.openBytes = 0;
    this.openState = undefined;
  }

  /** The value of a pending revision. */
  read(main: Revision, sub: number): Uint8Array | undefined {
    const first = this.records[0];
    if (first === undefined || main < first.main) return undefined;
    let low = 0;
    let high = this.records.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const record = this.records[middle]!;
      const order = record.main - main || record.sub - sub;
      if (order === 0) return record.keyValue;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Visits the pending revisions from `fromMain` on until `visit` answers false. */
  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): void {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.records[middle]!.main < fromMain) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.records.length; at++) if (!visit(this.records[at]!)) return;
  }

  /**
   * The oldest units at or below `durableIndex`, of about `bytesMax` at most but one at least; undefined when
   * there is none. They stay pending until `release`.
   */
  firstGroup(durableIndex: Index, bytesMax: number): UnitGroup | undefined {
    let unitCount = 0;
    let recordCount = 0;
    let bytes = 0;
    for (const unit of this.units) {
      if (unit.applied.index > durableIndex || (unitCount > 0 && bytes + unit.bytes > bytesMax)) break;
      unitCount++;
      recordCount += unit.recordCount;
      bytes += unit.bytes;
    }
    const last = this.units[unitCount - 1];
    if (last === undefined) return undefined;
    const state = new Map<string, Uint8Array | undefined>();
    for (const unit of this.units.slice(0, unitCount)) {
      for (const [key, value] of unit.state) state.set(key, value);
    }
    return { applied: last.applied, unitCount, records: this.records.slice(0, recordCount), state, bytes };
  }

  /** The group that `firstGroup` gave is durable. */
  release(group: UnitGroup): void {
    this.units.splice(0, group.unitCount);
    this.records = this.records.slice(group.records.length);
    this.totalBytes -= group.bytes;
    assert(this.totalBytes >= 0, "no more bytes become durable than were pending");
  }

  private addOpenBytes(bytes: number): void {
    this.openBytes += bytes;
    this.totalBytes += bytes;
  }
}

/** Bytes of records in blocks, without the blocks' headers. */
export function totalRecordBytes(records: readonly RevisionRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += recordBytes(record);
  return bytes;
}
