/**
 * What was appended and set and LevelDB does not hold yet, in units that become durable whole and in order.
 */
import { assert } from "../../base/assert.js";
import type { Index, Revision } from "../../base/brand.js";
import type { RevisionRecord } from "../../mvcc/contract.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { directoryEntryBytes } from "./block-codec.js";
import { RevisionColumns } from "./revision-columns.js";
import { SealedUnits, type UnitGroup } from "./sealed-units.js";
import { ValuePages } from "./value-pages.js";

export class PendingUnits {
  readonly revisions = new RevisionColumns();
  /** Their values. */
  private readonly pages = new ValuePages();
  private readonly units = new SealedUnits();
  private openRecords = 0;
  private openRecordBytes = 0;
  private openBytes = 0;
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

  /** `value` as a latin1 string: a few bytes of a shared piece of memory would keep all of it until the flush. */
  setState(key: string, value: string | undefined): void {
    this.units.change(key, value);
    this.addOpenBytes(key.length + (value?.length ?? 0));
  }

  seal(applied: AppliedMark): void {
    const { openRecords: recordCount, openRecordBytes: recordBytes, openBytes: bytes } = this;
    this.units.seal(applied, { recordCount, recordBytes, bytes });
    this.openRecords = 0;
    this.openRecordBytes = 0;
    this.openBytes = 0;
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

  /** See `SealedUnits.firstGroup`. */
  firstGroup(durableIndex: Index, bytesMax: number): UnitGroup | undefined {
    return this.units.firstGroup(durableIndex, bytesMax);
  }

  /** The group that `firstGroup` gave is durable. */
  release(group: UnitGroup): void {
    this.units.release(group.unitCount);
    for (const page of this.revisions.dropFirst(group.recordCount)) this.pages.release(page);
    this.totalBytes -= group.bytes;
    assert(this.totalBytes >= 0, "no more bytes become durable than were pending");
  }

  private addOpenBytes(bytes: number): void {
    this.openBytes += bytes;
    this.totalBytes += bytes;
  }
}
