/** StateRecords in a map, for the rooms that keep small records. */
import type { StateRecords } from "../../src/base/state-records.js";

export class MemoryState implements StateRecords {
  private readonly records = new Map<string, Uint8Array>();

  getState(key: string): Uint8Array | undefined {
    return this.records.get(key);
  }

  setState(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.records.delete(key);
    else this.records.set(key, value);
  }

  listState(prefix: string): readonly (readonly [string, Uint8Array])[] {
    return [...this.records].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
