/**
 * Holds what watches were told against what was written. A watch is recorded as its request and its answers in
 * the order in which they came; what was written is a history of all events, each transaction in its own order.
 *
 * The promises, by the names under which a breach is reported:
 *   ordered       events come in the order of revisions, and of writes inside one
 *   unique        no event comes twice
 *   reliable      no event is missing between two that came, or before what the watch was told it has got
 *   atomic        the events of a revision come in one answer, or in the fragments of one
 *   resumable     the first event is the first one from the start revision on, none is older
 *   bookmarkable  a revision in a header or a progress notification is a place to go on from: all before it came
 *   previous      prev_kv is the pair before the write, and there where it was asked for
 *   created       an event says that it made its key when the key was not there, and only then
 *   filtered      nothing comes that was not asked for: other keys, filtered kinds
 *   true          an event says what was written
 */

export interface RecordedPair {
  /** Latin1, as `value`. */
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

export interface RecordedEvent {
  readonly kind: "put" | "delete";
  /** Of a delete: key and modRevision, the rest is empty or 0. */
  readonly pair: RecordedPair;
  readonly previous: RecordedPair | undefined;
}

export interface RecordedAnswer {
  /** Of the header. */
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  /** True where more of the same answer follows. */
  readonly fragment: boolean;
  readonly events: readonly RecordedEvent[];
  /** The highest revision to which a compaction may have gone when it came; absent: that of the whole history. */
  readonly compactedBefore?: number | undefined;
}

export interface RecordedWatch {
  /** For the reader of a report. */
  readonly name: string;
  readonly key: string;
  /** As on the wire: "" is one key, "\0" every key from `key` on. */
  readonly rangeEnd: string;
  /** 0: from the created answer on. */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly answers: readonly RecordedAnswer[];
  /** Everything up to here must have come before the recording ended; undefined: it was cut off somewhere. */
  readonly completeTo: number | undefined;
}

/** All that was written, in order. */
export interface WriteHistory {
  readonly events: readonly RecordedEvent[];
  /** The highest revision to which a compaction may have gone while the watches ran: older prev_kv may be absent. */
  readonly compactedRevision: number;
}

export interface Breach {
  readonly promise:
    | "ordered"
    | "unique"
    | "reliable"
    | "atomic"
    | "resumable"
    | "bookmarkable"
    | "previous"
    | "created"
    | "filtered"
    | "true";
  readonly watch: string;
  readonly text: string;
}

/** Every breach of every watch, in the order of the answers; none where all promises hold. */
export function checkWatches(watches: readonly RecordedWatch[], history: WriteHistory): readonly Breach[] {
  const written = new Written(history);
  return watches.flatMap((watch) => new WatchCheck(watch, written).run());
}

/** The history, by revision and by key. */
class Written {
  readonly events: readonly RecordedEvent[];
  readonly compactedRevision: number;
  private readonly byWrite = new Map<string, RecordedEvent>();
  private readonly byKey = new Map<string, RecordedEvent[]>();

  constructor(history: WriteHistory) {
    this.events = history.events;
    this.compactedRevision = history.compactedRevision;
    for (const event of history.events) {
      const { key } = event.pair;
      this.byWrite.set(nameOf(event), event);
      const ofKey = this.byKey.get(key);
      if (ofKey === undefined) this.byKey.set(key, [event]);
      else ofKey.push(event);
    }
  }

  find(event: RecordedEvent): RecordedEvent | undefined {
    return this.byWrite.get(nameOf(event));
  }

  /** The pair of a key as it was before `revision`. */
  before(key: string, revision: number): RecordedPair | undefined {
    const events = this.byKey.get(key) ?? [];
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (events[middle]!.pair.modRevision < revision) low = middle + 1;
      else high = middle;
    }
    const last = events[low - 1];
    return last?.kind === "put" ? last.pair : undefined;
  }
}

class WatchCheck {
  private readonly breaches: Breach[] = [];
  /** What the watch asked for, whatever its start, and where in it each event stands. */
  private readonly wanted: readonly RecordedEvent[];
  private readonly places: ReadonlyMap<string, number>;
  private readonly seen = new Set<string>();
  /** How many of `wanted` are accounted for: came, or were reported missing. */
  private position = 0;
  /** The watch was told that it has got everything up to here. */
  private bookmark = 0;
  private lastRevision = 0;
  private over = false;
  /** As the present answer has it. */
  private compactedBefore = 0;
  private startRevision: number;

  constructor(
    private readonly watch: RecordedWatch,
    private readonly written: Written,
  ) {
    this.startRevision = watch.startRevision;
    this.wanted = written.events.filter((event) => wants(watch, event));
    this.places = new Map(this.wanted.map((event, at) => [nameOf(event), at]));
  }

  run(): readonly Breach[] {
    for (const answer of this.watch.answers) this.answer(answer);
    if (this.watch.completeTo !== undefined && this.started && !this.over) {
      this.expectAllUpTo(this.watch.completeTo, "reliable", "before the end");
    }
    return this.breaches;
  }

  private get started(): boolean {
    return this.startRevision > 0;
  }

  private answer(answer: RecordedAnswer): void {
    if (answer.created && this.startRevision === 0) this.startRevision = answer.revision + 1;
    if (answer.created) return;
    if (this.position === 0) this.skipOlder();
    this.compactedBefore = answer.compactedBefore ?? this.written.compactedRevision;
    if (answer.canceled) {
      this.cancel(answer.compactRevision);
      return;
    }
    if (this.over) {
      for (const event of answer.events) this.report("filtered", `${nameOf(event)} came after the end`);
      return;
    }
    for (const event of answer.events) this.event(event);
    if (answer.fragment) return;
    if (answer.events.length > 0) this.expectWhole(answer.events.at(-1)!.pair.modRevision);
    if (answer.revision < this.bookmark) {
      this.report("bookmarkable", `the header goes back from ${this.bookmark} to ${answer.revision}`);
    }
    const promise = answer.events.length > 0 ? "reliable" : "bookmarkable";
    this.expectAllUpTo(answer.revision, promise, `before a header of ${answer.revision}`);
    this.bookmark = Math.max(this.bookmark, answer.revision);
  }

  /** A watch may be ended by a compaction only when it waits for what that took away. */
  private cancel(compactRevision: number): void {
    this.over = true;
    const next = Math.max(this.bookmark + 1, this.startRevision);
    if (compactRevision > this.compactedBefore || (compactRevision > 0 && compactRevision <= next)) {
      this.report("reliable", `waits for ${next} and was ended by a compaction at ${compactRevision}`);
    }
  }

  /** What is older than the start is not expected. */
  private skipOlder(): void {
    while ((this.wanted[this.position]?.pair.modRevision ?? Number.POSITIVE_INFINITY) < this.startRevision) {
      this.position++;
    }
  }

  private event(event: RecordedEvent): void {
    const name = nameOf(event);
    const revision = event.pair.modRevision;
    if (this.seen.has(name)) {
      this.report("unique", `${name} came twice`);
      return;
    }
    this.seen.add(name);
    if (revision < this.startRevision)
      this.report("resumable", `${name} is older than the start ${this.startRevision}`);
    if (revision < this.lastRevision)
      this.report("ordered", `${name} came after revision ${this.lastRevision}`);
    else if (revision <= this.bookmark) {
      this.report("bookmarkable", `${name} came after the watch was told of ${this.bookmark}`);
    }
    this.lastRevision = Math.max(this.lastRevision, revision);
    if (!wants(this.watch, event)) this.report("filtered", `${name} was not asked for`);
    this.content(event);
    this.advanceTo(event);
  }

  /** Moves behind the event; what is passed over is missing. */
  private advanceTo(event: RecordedEvent): void {
    const at = this.places.get(nameOf(event));
    if (at === undefined) return;
    if (at < this.position) {
      this.report("ordered", `${nameOf(event)} came after what was written behind it`);
      return;
    }
    for (const missing of this.wanted.slice(this.position, at)) {
      const promise = this.seen.size === 1 ? "resumable" : "reliable";
      this.report(promise, `${nameOf(missing)} is missing before ${nameOf(event)}`);
    }
    this.position = at + 1;
  }

  /** All that was asked for of a revision came with the answer that began it. */
  private expectWhole(revision: number): void {
    while (this.wanted[this.position]?.pair.modRevision === revision) {
      this.report(
        "atomic",
        `${nameOf(this.wanted[this.position]!)} did not come with the rest of its revision`,
      );
      this.position++;
    }
  }

  private expectAllUpTo(revision: number, promise: Breach["promise"], where: string): void {
    while ((this.wanted[this.position]?.pair.modRevision ?? Number.POSITIVE_INFINITY) <= revision) {
      const missing = this.wanted[this.position++]!;
      if (missing.pair.modRevision >= this.startRevision) {
        this.report(promise, `${nameOf(missing)} is missing ${where}`);
      }
    }
  }

  private content(event: RecordedEvent): void {
    const name = nameOf(event);
    const written = this.written.find(event);
    if (written === undefined || written.kind !== event.kind) {
      this.report("true", `${event.kind} ${name} was never written`);
      return;
    }
    if (!samePair(event.pair, written.pair)) {
      this.report("true", `${name} came as ${JSON.stringify(event.pair)}`);
    }
    const { key, modRevision, createRevision, version } = event.pair;
    const before = this.written.before(key, modRevision);
    if (
      event.kind === "put" &&
      (createRevision === modRevision || version === 1) !== (before === undefined)
    ) {
      this.report(
        "created",
        `${name} says ${JSON.stringify(event.pair)}, before it was ${JSON.stringify(before)}`,
      );
    }
    this.previous(event, this.watch.prevKv ? before : undefined);
  }

  private previous(event: RecordedEvent, expected: RecordedPair | undefined): void {
    const { previous } = event;
    const mayBeGone = event.pair.modRevision <= this.compactedBefore;
    if (
      previous === undefined
        ? expected === undefined || mayBeGone
        : expected !== undefined && samePair(previous, expected)
    ) {
      return;
    }
    const texts = [previous, expected].map((pair) => JSON.stringify(pair));
    this.report("previous", `${nameOf(event)} has ${texts[0]} in place of ${texts[1]}`);
  }

  private report(promise: Breach["promise"], text: string): void {
    this.breaches.push({ promise, watch: this.watch.name, text });
  }
}

function nameOf({ pair }: RecordedEvent): string {
  return `${JSON.stringify(pair.key)}@${pair.modRevision}`;
}

function wants(watch: RecordedWatch, event: RecordedEvent): boolean {
  if (event.kind === "put" ? watch.noPut : watch.noDelete) return false;
  const { key } = event.pair;
  if (watch.rangeEnd === "") return key === watch.key;
  return key >= watch.key && (watch.rangeEnd === "\0" || key < watch.rangeEnd);
}

function samePair(a: RecordedPair, b: RecordedPair): boolean {
  return (
    a.key === b.key &&
    a.value === b.value &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version
  );
}
