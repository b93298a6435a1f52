/**
 * Units that wait for LevelDB, in columns: a lone put is a unit, and thousands of them wait for a flush. With an object
 * each for the unit, its mark and its changes V8 would copy every one of them twice meanwhile, which made most of the
 * work of its pauses.
 *
 * Example: a unit up to index 7 of term 2 with one record of 90 bytes, whose state is a = "x", and one up to 8 that only
 * removes b, make the indexes 7, 8; the terms 2, 2; the record counts 1, 0; the ends of the changes 1, 2; and the
 * changes a, b to "x", undefined.
 */
import { assert } from "../../base/assert.js";
import type { Index, Term } from "../../base/brand.js";
import type { AppliedMark } from "../../ports/revision-store.js";

/** Key → new value as a latin1 string, or undefined for removed. */
export type StateChanges = ReadonlyMap<string, string | undefined>;

/** What the open unit has gathered, in numbers. */
export interface UnitSizes {
  readonly recordCount: number;
  /** What the records take in blocks, without the blocks' headers. */
  readonly recordBytes: number;
  /** Of records and state. */
  readonly bytes: number;
}

/** Whole units for one batch: the first `recordCount` of the pending revisions, and what became of the state. */
export interface UnitGroup extends UnitSizes {
  readonly applied: AppliedMark;
  readonly unitCount: number;
  readonly state: StateChanges;
}

export class SealedUnits {
  private readonly indexes: Index[] = [];
  private readonly terms: Term[] = [];
  private readonly recordCounts: number[] = [];
  private readonly recordBytes: number[] = [];
  private readonly bytes: number[] = [];
  /** How many changes there are up to the end of each unit, those of released units included. */
  private readonly changeEnds: number[] = [];
  private readonly keys: string[] = [];
  private readonly values: (string | undefined)[] = [];
  private releasedChanges = 0;

  /** A change of the unit that is to be sealed next. */
  change(key: string, value: string | undefined): void {
    this.keys.push(key);
    this.values.push(value);
  }

  /** Ends the unit that the changes since the last one belong to. */
  seal({ index, term }: AppliedMark, { recordCount, recordBytes, bytes }: UnitSizes): void {
    const newest = this.indexes.at(-1);
    assert(newest === undefined || index >= newest, "units are sealed in the order of the log");
    this.indexes.push(index);
    this.terms.push(term);
    this.recordCounts.push(recordCount);
    this.recordBytes.push(recordBytes);
    this.bytes.push(bytes);
    this.changeEnds.push(this.releasedChanges + this.keys.length);
  }

  /**
   * The oldest units at or below `durableIndex`, of about `bytesMax` at most but one at least; undefined when there is
   * none. They stay until `release`.
   */
  firstGroup(durableIndex: Index, bytesMax: number): UnitGroup | undefined {
    let unitCount = 0;
    let recordCount = 0;
    let recordBytes = 0;
    let bytes = 0;
    for (; unitCount < this.indexes.length; unitCount++) {
      const unitBytes = this.bytes[unitCount]!;
      if (this.indexes[unitCount]! > durableIndex) break;
      if (unitCount > 0 && bytes + unitBytes > bytesMax) break;
      recordCount += this.recordCounts[unitCount]!;
      recordBytes += this.recordBytes[unitCount]!;
      bytes += unitBytes;
    }
    if (unitCount === 0) return undefined;
    const applied = { index: this.indexes[unitCount - 1]!, term: this.terms[unitCount - 1]! };
    return { applied, unitCount, recordCount, recordBytes, bytes, state: this.stateOf(unitCount) };
  }

  /** The first units are durable: they leave. */
  release(unitCount: number): void {
    const changes = this.changesOf(unitCount);
    for (const column of [this.indexes, this.terms, this.recordCounts, this.recordBytes, this.bytes])
      column.splice(0, unitCount);
    this.changeEnds.splice(0, unitCount);
    this.keys.splice(0, changes);
    this.values.splice(0, changes);
    this.releasedChanges += changes;
  }

  private stateOf(unitCount: number): StateChanges {
    const state = new Map<string, string | undefined>();
    const changes = this.changesOf(unitCount);
    for (let at = 0; at < changes; at++) state.set(this.keys[at]!, this.values[at]);
    return state;
  }

  private changesOf(unitCount: number): number {
    return unitCount === 0 ? 0 : this.changeEnds[unitCount - 1]! - this.releasedChanges;
  }
}
