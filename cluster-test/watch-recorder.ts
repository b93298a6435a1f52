/** What watches of a round are told, gathered for the checker: one record for each time that one was asked for. */
import type { RecordedAnswer, RecordedWatch } from "./watch-checker.js";

/** What a watch asks for, however often. */
export interface WatchPlan {
  readonly key: string;
  readonly rangeEnd: string;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** The first time; 0: from now on. */
  readonly startRevision: number;
}

export interface WatchCounts {
  /** Times that a watch was asked for. */
  asked: number;
  events: number;
  fragments: number;
  /** Answers without events that tell how far a watch is. */
  progress: number;
  endedByCompaction: number;
  /** Streams that broke, or were left, and whose watches went on elsewhere. */
  resumed: number;
}

export class WatchRecorder {
  readonly watches: RecordedWatch[] = [];
  readonly counts: WatchCounts = {
    asked: 0,
    events: 0,
    fragments: 0,
    progress: 0,
    endedByCompaction: 0,
    resumed: 0,
  };

  /** `compactedBefore`: to where a compaction may have gone by now. */
  constructor(private readonly compactedBefore: () => number) {}

  begin(name: string, plan: WatchPlan, startRevision: number): WatchRecord {
    this.counts.asked++;
    const record = new WatchRecord(name, plan, startRevision);
    this.watches.push(record);
    return record;
  }

  note(record: WatchRecord, answer: RecordedAnswer): void {
    record.answers.push({ ...answer, compactedBefore: this.compactedBefore() });
    this.counts.events += answer.events.length;
    if (answer.fragment) this.counts.fragments++;
    if (answer.canceled) this.counts.endedByCompaction++;
    else if (!answer.created && answer.events.length === 0) this.counts.progress++;
  }
}

export class WatchRecord implements RecordedWatch {
  readonly answers: RecordedAnswer[] = [];
  completeTo: number | undefined;
  readonly key: string;
  readonly rangeEnd: string;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;

  constructor(
    readonly name: string,
    plan: WatchPlan,
    readonly startRevision: number,
  ) {
    this.key = plan.key;
    this.rangeEnd = plan.rangeEnd;
    this.prevKv = plan.prevKv;
    this.noPut = plan.noPut;
    this.noDelete = plan.noDelete;
  }
}
