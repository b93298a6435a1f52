/**
 * What was written to the keys of some watches in one or several whole revisions, as bytes of events. Watches
 * with the same options share the bytes; they are made when the first of them asks.
 *
 * Event (mvccpb.Event): type 1 (left out for a put, 1 for a delete), kv 2, prev_kv 3; field 11 of a WatchResponse.
 */
import { assert } from "../../base/assert.js";
import type { Revision } from "../../base/brand.js";
import { varintSize } from "../../base/protowire.js";
import { PartWriter } from "../encode.js";
import { WatchOption } from "./watch.js";

/** One write; `Change` is one. */
export interface WatchedWrite {
  readonly kind: "put" | "delete";
  /** Latin1. */
  readonly key: string;
  /** Protobuf bytes of the event's pair. Shared. */
  readonly keyValue: Uint8Array;
  readonly main: Revision;
}

/** The pair before a write; undefined where there was none, or where it is compacted. */
export type PreviousPair<Write extends WatchedWrite> = (write: Write) => Uint8Array | undefined;

interface Event {
  readonly kind: "put" | "delete";
  readonly pair: Uint8Array;
  readonly previous: Uint8Array | undefined;
}

const eventsField = 11;
const pairField = 2;
const previousField = 3;

/** Events of whole revisions on the wire: fields 11 of a WatchResponse. */
export class EncodedEvents {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;

  constructor(private readonly events: readonly Event[]) {
    this.bytes = events.reduce((sum, event) => sum + fieldSize(eventSize(event)), 0);
    this.parts = encode(events, this.bytes);
  }

  get count(): number {
    return this.events.length;
  }

  /** The same events in pieces of less than `bytesMax`; one that is larger by itself is a piece of its own. */
  split(bytesMax: number): readonly EncodedEvents[] {
    const pieces: Event[][] = [];
    let bytes = bytesMax;
    for (const event of this.events) {
      const size = fieldSize(eventSize(event));
      if (bytes + size >= bytesMax) {
        pieces.push([]);
        bytes = 0;
      }
      pieces.at(-1)!.push(event);
      bytes += size;
    }
    return pieces.map((events) => new EncodedEvents(events));
  }
}

export class EventBatch<Write extends WatchedWrite> {
  readonly firstRevision: Revision;
  readonly lastRevision: Revision;
  /** By first revision and options; few, as most watches of a group stand at the same place. */
  private readonly encoded = new Map<number, EncodedEvents | undefined>();
  /** What was asked for last: nearly always what is asked for next. */
  private lastKey = -1;
  private lastEncoded: EncodedEvents | undefined;

  /** `writes` are in order and hold every revision whole. */
  constructor(
    private readonly writes: readonly Write[],
    private readonly previousPair: PreviousPair<Write>,
  ) {
    const first = writes[0];
    assert(first !== undefined, "a batch of events is not empty");
    this.firstRevision = first.main;
    this.lastRevision = writes.at(-1)!.main;
  }

  /** What a watch with the event options `options` is told that waits for `next`; undefined: nothing. */
  eventsFor(next: Revision, options: number): EncodedEvents | undefined {
    const from = Math.max(next, this.firstRevision);
    const memoKey = (from - this.firstRevision) * 8 + options;
    if (memoKey === this.lastKey) return this.lastEncoded;
    this.lastEncoded = this.encoded.has(memoKey)
      ? this.encoded.get(memoKey)
      : this.encode(memoKey, from, options);
    this.lastKey = memoKey;
    return this.lastEncoded;
  }

  private encode(memoKey: number, from: Revision, options: number): EncodedEvents | undefined {
    const events: Event[] = [];
    for (const write of this.writes) {
      if (write.main < from || isFiltered(write, options)) continue;
      const previous = (options & WatchOption.PrevKv) === 0 ? undefined : this.previousPair(write);
      events.push({ kind: write.kind, pair: write.keyValue, previous });
    }
    const encoded = events.length === 0 ? undefined : new EncodedEvents(events);
    this.encoded.set(memoKey, encoded);
    return encoded;
  }
}

function isFiltered(write: WatchedWrite, options: number): boolean {
  return (options & (write.kind === "put" ? WatchOption.NoPut : WatchOption.NoDelete)) !== 0;
}

function encode(events: readonly Event[], bytes: number): readonly Uint8Array[] {
  const writer = new PartWriter(Math.min(bytes, encodeHintBytesMax));
  for (const event of events) {
    writer.small.varint(eventsField * 8 + 2).varint(eventSize(event));
    if (event.kind === "delete") writer.small.varint(8).varint(1);
    writer.pair(pairField, event.pair);
    if (event.previous !== undefined) writer.pair(previousField, event.previous);
  }
  return writer.finish();
}

/** Large pairs are carried, not copied: a larger hint would be memory for nothing. */
const encodeHintBytesMax = 64 * 1024;

function eventSize({ kind, pair, previous }: Event): number {
  let size = (kind === "delete" ? 2 : 0) + fieldSize(pair.length);
  if (previous !== undefined) size += fieldSize(previous.length);
  return size;
}

/** A bytes field with a tag of one byte. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}
