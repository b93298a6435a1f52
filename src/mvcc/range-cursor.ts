/**
 * A range read in slices at one fixed revision: what is written meanwhile is not seen, because every revision
 * that was there at the start stays readable until a compaction passes it.
 *
 * Two ways. In key order and without filters the cursor walks the index as it goes (count and limit say how far).
 * Sorted or filtered, it lists the revisions first, as etcd does, and reads values only of what is answered.
 */
import type { Revision } from "../base/brand.js";
import { bytesToLatin1, compareBytes, emptyBytes, latin1ToBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { hasRevisionFilters, isDefaultOrdering } from "./checks.js";
import type { RevisionLog } from "./contract.js";
import type { KeyIndex } from "./key-index.js";
import { intervalOf, isSingleKey, type KeyInterval } from "./key-interval.js";
import type { KeyRevision } from "./key-leaf.js";
import { decodeKeyValue, encodeKeyValue, storedValue } from "./key-value.js";
import { locateEach, ReadBatch, type ReadBudget, readBatchMax } from "./read-batch.js";
import { type RangeRequest, SortOrder, SortTarget } from "./requests.js";
import type { RangeResult } from "./results.js";

/** What a range reads from. */
export interface RangeSource {
  readonly index: KeyIndex;
  readonly log: RevisionLog;
  readonly compactedRevision: Revision;
}

/** At which revision a range reads, and which one its answer names. */
export interface RangeRevisions {
  readonly atMain: Revision;
  /** The store's revision at the start. */
  readonly current: Revision;
}

export interface RangeSlice {
  readonly kvs: readonly Uint8Array[];
  /** True for the last slice. */
  readonly done: boolean;
}

/** Takes the located pairs of a batch. They are used again: what it keeps of the batch it copies. */
export interface PairSink {
  take(batch: ReadBatch): void;
}

/** One for all, as a slice is read in one go: its memory is made once, and is warm. */
const batch = new ReadBatch();

/** A key and the revision of it that is answered. */
interface Item {
  readonly key: string;
  readonly revision: KeyRevision;
}

export class RangeCursor {
  /** All keys of the range at its revision, whatever limit and filters; known from the start. */
  readonly count: number;
  /** True where `limit` cuts the answer; known from the start. */
  readonly more: boolean;
  /** The store's revision when the cursor was opened. */
  readonly revision: Revision;
  /** Sorted or filtered: what is answered, and how much of it was. Undefined: the index is walked. */
  private readonly listed: readonly Item[] | undefined;
  private position = 0;
  /** Where the walk goes on. */
  private rest: KeyInterval;
  /** Keys still to be answered. */
  private left: number;

  constructor(
    private readonly source: RangeSource,
    private readonly request: RangeRequest,
    private readonly revisions: RangeRevisions,
  ) {
    this.revision = revisions.current;
    this.rest = intervalOf(request);
    this.count = source.index.count(this.rest, revisions.atMain);
    const { limit } = request;
    if (request.countOnly) {
      this.more = false;
      this.left = 0;
    } else if (isWalk(request)) {
      this.more = limit > 0 && this.count > limit;
      this.left = this.more ? limit : this.count;
    } else {
      const items = listItems(source, request, revisions, this.count);
      this.more = limit > 0 && items.length > limit;
      this.listed = this.more ? items.slice(0, limit) : items;
      this.left = this.listed.length;
    }
  }

  /** The next pairs as `nextInto`, each as bytes that share memory with the store: never written to. */
  next(): RangeSlice {
    const kvs: Uint8Array[] = [];
    const done = this.nextInto({
      take: (located) => {
        for (let at = 0; at < located.located; at++) kvs.push(located.bytesAt(at));
      },
    });
    return { kvs, done };
  }

  /**
   * Gives the next pairs to `sink`: at most limits.sliceKeysMax, and about limits.sliceBytesMax. True after the last. A
   * slice may be empty before that. Errors: Compacted, when a compaction passed the revision since the cursor was opened.
   */
  nextInto(sink: PairSink): boolean {
    if (this.source.compactedRevision > this.revisions.atMain) throw storeError("Compacted");
    const { log } = this.source;
    const loadedBytesMax = log.loadedBytes + limits.sliceLoadedBytesMax;
    let bytesMax = limits.sliceBytesMax;
    for (let examined = 0; examined < limits.sliceKeysMax; examined += readBatchMax) {
      if (this.left === 0 || bytesMax <= 0 || log.loadedBytes >= loadedBytesMax) break;
      try {
        this.passBatch(sink, { bytesMax, loadedBytesMax });
        bytesMax -= batch.locatedBytes;
      } finally {
        batch.clear();
      }
    }
    return this.left === 0;
  }

  /** Fills the batch, has it located, and goes on behind what was located. */
  private passBatch(sink: PairSink, budget: ReadBudget): void {
    const next = this.listed === undefined ? this.walk() : this.passListed(this.listed);
    locatePairs(this.source.log, this.request, budget);
    sink.take(batch);
    this.left -= batch.located;
    if (this.listed !== undefined) this.position += batch.located;
    else if (batch.located < batch.size)
      this.rest = { start: batch.keys[batch.located]!, end: this.rest.end };
    else if (next !== undefined) this.rest = { start: next, end: this.rest.end };
  }

  private walk(): string | undefined {
    const { left } = this;
    return this.source.index.visit(this.rest, this.revisions.atMain, readBatchMax, (key, revision) => {
      batch.add(key, revision);
      return batch.size < left;
    });
  }

  private passListed(listed: readonly Item[]): undefined {
    const end = Math.min(this.position + readBatchMax, listed.length);
    for (let at = this.position; at < end; at++) batch.add(listed[at]!.key, listed[at]!.revision);
  }
}

/** The whole range at once, for ranges that are known to be small and for transactions, which must not pause. */
export function readRange(
  source: RangeSource,
  request: RangeRequest,
  revisions: RangeRevisions,
): RangeResult {
  if (isSingleKey(request) && !hasRevisionFilters(request)) return readOne(source, request, revisions);
  const cursor = new RangeCursor(source, request, revisions);
  const { count, more, revision } = cursor;
  const first = cursor.next();
  if (first.done) return { kvs: first.kvs, more, count, revision };
  const kvs = [...first.kvs];
  for (;;) {
    const slice = cursor.next();
    for (const pair of slice.kvs) kvs.push(pair);
    if (slice.done) return { kvs, more, count, revision };
  }
}

/** A get: no limit cuts one key, and one key needs no sorting. */
function readOne(source: RangeSource, request: RangeRequest, revisions: RangeRevisions): RangeResult {
  const key = bytesToLatin1(request.key);
  const found = source.index.get(key, revisions.atMain);
  const revision = revisions.current;
  if (found === undefined) return { kvs: [], more: false, count: 0, revision };
  if (request.countOnly) return { kvs: [], more: false, count: 1, revision };
  const { log } = source;
  const kvs = [request.keysOnly ? keyOnly(log, request, key, found) : log.read(found.main, found.sub)];
  return { kvs, more: false, count: 1, revision };
}

/** True where the answer is a stretch of the index as it stands. */
function isWalk(request: RangeRequest): boolean {
  const { sortTarget, sortOrder } = request;
  if (hasRevisionFilters(request)) return false;
  return sortTarget === SortTarget.Key && sortOrder !== SortOrder.Descend;
}

/** Says where the bytes lie that are answered for the revisions of the batch. */
function locatePairs(log: RevisionLog, request: RangeRequest, budget: ReadBudget): void {
  if (!request.keysOnly) {
    log.locate(batch, budget);
    return;
  }
  const bytesOf = (at: number): Uint8Array =>
    keyOnly(log, request, batch.keys[at]!, {
      main: batch.mains[at]!,
      sub: batch.subs[at]!,
      create: batch.creates[at]!,
      version: batch.versions[at]!,
    });
  locateEach(batch, budget, { log, bytesOf });
}

/** A pair for keys_only: without value, and (made from the index alone) without lease, as in etcd 3.7. */
function keyOnly(
  log: RevisionLog,
  request: RangeRequest,
  key: string,
  { main, sub, create, version }: KeyRevision,
): Uint8Array {
  if (request.sortTarget === SortTarget.Value) {
    return encodeKeyValue({ ...decodeKeyValue(log.read(main, sub)), value: emptyBytes });
  }
  return encodeKeyValue({
    key: latin1ToBytes(key),
    createRevision: create,
    modRevision: main,
    version,
    value: emptyBytes,
    lease: 0n,
  });
}

/** All items of a sorted or filtered range, in the order of the answer, not yet cut to the limit. */
function listItems(
  source: RangeSource,
  request: RangeRequest,
  { atMain, current }: RangeRevisions,
  count: number,
): readonly Item[] {
  const interval = intervalOf(request);
  const { limit, sortTarget } = request;
  const isFiltered = hasRevisionFilters(request);
  if (sortTarget === SortTarget.Key && !isFiltered && atMain === current && limit > 0 && count > limit + 1) {
    return lastItems(source.index, interval, atMain, limit + 1);
  }
  // With order None etcd reads only one key more than the limit and sorts those: the answer is not the smallest.
  const itemsMax =
    isDefaultOrdering(request) && !isFiltered && limit > 0 ? limit + 1 : Number.POSITIVE_INFINITY;
  const items: Item[] = [];
  source.index.visit(interval, atMain, Number.POSITIVE_INFINITY, (key, revision) => {
    if (passesFilters(request, revision)) items.push({ key, revision });
    return items.length < itemsMax;
  });
  return sortItems(source.log, request, items);
}

/** The last `wanted` keys of an interval that holds more, last first, found by rank: nothing is sorted. */
function lastItems(
  index: KeyIndex,
  interval: KeyInterval,
  atMain: Revision,
  wanted: number,
): readonly Item[] {
  const end = interval.end === undefined ? index.live : index.count({ start: "", end: interval.end }, atMain);
  const items: Item[] = [];
  const from: KeyInterval = { start: index.keyAtRank(end - wanted), end: interval.end };
  index.visit(from, atMain, Number.POSITIVE_INFINITY, (key, revision) => {
    items.push({ key, revision });
    return items.length < wanted;
  });
  return items.reverse();
}

function passesFilters(request: RangeRequest, { main, create }: KeyRevision): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (maxModRevision !== 0 && main > maxModRevision) return false;
  if (minModRevision !== 0 && main < minModRevision) return false;
  if (maxCreateRevision !== 0 && create > maxCreateRevision) return false;
  return minCreateRevision === 0 || create >= minCreateRevision;
}

/** Sorts by target; equal ones stay in key order. A target with order None sorts ascending. */
function sortItems(log: RevisionLog, request: RangeRequest, items: Item[]): readonly Item[] {
  const sign = request.sortOrder === SortOrder.Descend ? -1 : 1;
  switch (request.sortTarget) {
    case SortTarget.Key:
      return sign === 1 ? items : items.reverse();
    case SortTarget.Version:
      return items.sort((a, b) => sign * (a.revision.version - b.revision.version));
    case SortTarget.Create:
      return items.sort((a, b) => sign * (a.revision.create - b.revision.create));
    case SortTarget.Mod:
      return items.sort((a, b) => sign * (a.revision.main - b.revision.main));
    case SortTarget.Value: {
      const valued = items.map((item) => ({
        item,
        value: storedValue(log.read(item.revision.main, item.revision.sub)),
      }));
      valued.sort((a, b) => sign * compareBytes(a.value, b.value));
      return valued.map(({ item }) => item);
    }
    default:
      // checks.ts refuses other targets before the request is proposed.
      throw storeError("InvalidSortOption");
  }
}
