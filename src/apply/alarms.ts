/** Alarms raised through the log: every member refuses the same requests from the same entry on. */
import type { MemberId } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import type { StateRecords } from "../base/state-records.js";

export const alarmPrefix = "alarm/";

export type AlarmKind = "NOSPACE" | "CORRUPT";

export interface AlarmRecord {
  readonly memberId: MemberId;
  readonly alarm: AlarmKind;
}

/** Kept sorted by kind, then member, as it is listed. */
export class Alarms {
  private readonly active = new Map<string, AlarmRecord>();

  constructor(private readonly deps: { readonly records: StateRecords }) {
    for (const [key] of deps.records.listState(alarmPrefix)) {
      const [, alarm, id] = key.split("/");
      if (alarm === "NOSPACE" || alarm === "CORRUPT")
        this.active.set(key, { memberId: BigInt(`0x${id}`), alarm });
    }
  }

  list(kind?: AlarmKind): readonly AlarmRecord[] {
    return [...this.active.entries()]
      .filter(([, record]) => kind === undefined || record.alarm === kind)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, record]) => record);
  }

  /** Asked for every applied request, so the usual case of no alarm at all costs one read. */
  isActive(kind: AlarmKind): boolean {
    return this.active.size > 0 && this.list(kind).length > 0;
  }

  activate(record: AlarmRecord): void {
    const key = alarmKey(record);
    this.active.set(key, record);
    this.deps.records.setState(key, emptyBytes);
  }

  /** True where it was active. */
  deactivate(record: AlarmRecord): boolean {
    const key = alarmKey(record);
    if (!this.active.delete(key)) return false;
    this.deps.records.setState(key, undefined);
    return true;
  }
}

function alarmKey(record: AlarmRecord): string {
  return `${alarmPrefix}${record.alarm}/${record.memberId.toString(16).padStart(16, "0")}`;
}
