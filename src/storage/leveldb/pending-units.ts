/**
 * What was appended and set and LevelDB does not hold yet, in units that become durable whole and in order.
 */
import { assert } from "../../base/assert.js";
import type { Index, Revision } from "../../base/brand.js";
import type { RevisionRecord } from "../../mvcc/contract.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { directoryEntryBytes } from "./block-codec.js";
import { RevisionColumns } from "./revision-columns.js";
import { ValuePages } from "./value-pages.js";

/** Key → new value, or undefined for removed. */
export type StateChanges = ReadonlyMap<string, Uint8Array | undefined>;

interface Unit {
  readonly applied: AppliedMark;
  readonly recordCount: number;
  readonly recordBytes: number;
  readonly bytes: number;
  readonly state: StateChanges;
}

/** Whole units for one batch. */
export interface UnitGroup {
  readonly applied: AppliedMark;
  readonly unitCount: number;
  /** Of the pending revisions, the first so many. */
  readonly recordCount: number;
  /** What they take in blocks, without the blocks' headers. */
  readonly recordBytes: number;
  readonly state: StateChanges;
  readonly bytes: number;
}

const noChanges: StateChanges = new Map();

export class PendingUnits {
  readonly revisions = new RevisionColumns();
  /** Their values. */
  private readonly pages = new ValuePages();
  private readonly units: Unit[] = [];
  private openRecords = 0;
  private openRecordBytes = 0;
  private openBytes = 0;
  private openState: Map<string, Uint8Array | undefined> | undefined;
  private totalBytes = 0;

  /** Bytes of everything pending, sealed or not. */
  get bytes(): number {
    return this.totalBytes;
  }

  /** `keyValue` is taken over as it is. */
  append(main: Revision, sub: number, tombstone: boolean, keyValue: Uint8Array): void {
    const start = this.pages.add(keyValue);
    this.revisions.append(main, sub, tombstone, this.pages.page, start, start + keyValue.length);
    const bytes = directoryEntryBytes + keyValue.length;
    this.openRecords++;
    this.openRecordBytes += bytes;
    this.addOpenBytes(bytes);
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
      recordBytes: this.openRecordBytes,
      bytes: this.openBytes,
      state: this.openState ?? noChanges,
    });
    this.openRecords = 0;
    this.openRecordBytes = 0;
    this.openBytes = 0;
    this.openState = undefined;
  }

  /** A copy of the value of a pending revision. */
  read(main: Revision, sub: number): Uint8Array | undefined {
    const position = this.revisions.find(main, sub);
    return position < 0 ? undefined : this.revisions.valueAt(position);
  }

  /** Visits the pending revisions from `fromMain` on until `visit` answers false. */
  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): void {
    const { revisions } = this;
    for (let at = revisions.firstFrom(fromMain); at < revisions.length; at++)
      if (!visit(revisions.recordAt(at))) return;
  }

  /**
   * The oldest units at or below `durableIndex`, of about `bytesMax` at most but one at least; undefined when
   * there is none. They stay pending until `release`.
   */
  firstGroup(durableIndex: Index, bytesMax: number): UnitGroup | undefined {
    let unitCount = 0;
    let recordCount = 0;
    let recordBytes = 0;
    let bytes = 0;
    for (const unit of this.units) {
      if (unit.applied.index > durableIndex || (unitCount > 0 && bytes + unit.bytes > bytesMax)) break;
      unitCount++;
      recordCount += unit.recordCount;
      recordBytes += unit.recordBytes;
      bytes += unit.bytes;
    }
    const last = this.units[unitCount - 1];
    if (last === undefined) return undefined;
    const state = new Map<string, Uint8Array | undefined>();
    for (const unit of this.units.slice(0, unitCount)) {
      for (const [key, value] of unit.state) state.set(key, value);
    }
    return { applied: last.applied, unitCount, recordCount, recordBytes, state, bytes };
  }

  /** The group that `firstGroup` gave is durable. */
  release(group: UnitGroup): void {
    this.units.splice(0, group.unitCount);
    for (const page of this.revisions.dropFirst(group.recordCount)) this.pages.release(page);
    this.totalBytes -= group.bytes;
    assert(this.totalBytes >= 0, "no more bytes become durable than were pending");
  }

  private addOpenBytes(bytes: number): void {
    this.openBytes += bytes;
    this.totalBytes += bytes;
  }
}
