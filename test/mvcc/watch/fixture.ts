/** A store with a hub over it, and clients that record what they are told and read as fast as the test lets them. */
import type {
  RecordedAnswer,
  RecordedEvent,
  RecordedPair,
  RecordedWatch,
} from "../../../cluster-test/watch-checker.js";
import type { Revision } from "../../../src/base/brand.js";
import { bytesToLatin1, concatBytes, latin1ToBytes } from "../../../src/base/bytes.js";
import { WatchResponse } from "../../../src/gen/etcdserver.js";
import { Event_EventType, type KeyValue } from "../../../src/gen/kv.js";
import type { Change, ChangeSink } from "../../../src/mvcc/changes.js";
import type { RevisionHistory, RevisionRecord } from "../../../src/mvcc/contract.js";
import { decodeKeyValue } from "../../../src/mvcc/key-value.js";
import { MvccStore } from "../../../src/mvcc/store.js";
import { encodeWatchEvents } from "../../../src/mvcc/watch/codec.js";
import type { EncodedEvents } from "../../../src/mvcc/watch/event-batch.js";
import { type Watch, type WatchCreate, type WatchId, WatchOption } from "../../../src/mvcc/watch/watch.js";
import { WatchHub } from "../../../src/mvcc/watch/watch-hub.js";
import type { WatchOutlet, WatchStream } from "../../../src/mvcc/watch/watch-stream.js";
import { MemoryLeases, MemoryLog, sliceOf } from "../fakes.js";

/** A revision log that can be walked. */
export class WalkedLog extends MemoryLog implements RevisionHistory {
  walk(fromMain: Revision, visit: (record: RevisionRecord) => boolean): void {
    for (const record of this.records) if (record.main >= fromMain && !visit(record)) return;
  }
}

const header = { clusterId: 1n, memberId: 2n, raftTerm: 3 };

export interface Told {
  readonly watchId: number;
  readonly answer: RecordedAnswer;
}

/** A client of one stream. What it is told beyond `room` waits until it reads, as in a socket. */
export class FakeClient implements WatchOutlet {
  readonly told: Told[] = [];
  readonly stream: WatchStream;
  /** The shared bytes of each answer with events. */
  readonly eventBytes: (readonly Uint8Array[])[] = [];
  private unread = 0;
  private room = Number.POSITIVE_INFINITY;

  constructor(private readonly bench: WatchBench) {
    this.stream = bench.hub.open(this);
  }

  /** The client stops reading: `room` more answers fit on the way. */
  stopReading(room: number): void {
    this.room = room;
  }

  read(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.unread = 0;
    if (this.stream.behind) this.stream.resume();
  }

  create(
    key: string,
    more: Partial<Omit<WatchCreate, "key" | "rangeEnd">> & { readonly rangeEnd?: string } = {},
  ): number {
    const made = this.stream.create(watchCreate(key, more));
    if (typeof made === "string") throw new Error(made);
    this.tell(made.id, { created: true, revision: this.bench.store.revision });
    return Number(made.id);
  }

  events(watch: Watch, events: EncodedEvents, revision: Revision): boolean {
    this.eventBytes.push(events.parts);
    const bytes = concatBytes([encodeWatchEvents({ ...header, revision }, watch.id, events, false)].flat());
    const decoded = WatchResponse.decode(bytes);
    return this.tell(watch.id, {
      revision: Number(decoded.header!.revision),
      events: decoded.events.map((event) => ({
        kind: event.type === Event_EventType.DELETE ? "delete" : "put",
        pair: recordedPair(event.kv!),
        previous: event.prevKv === undefined ? undefined : recordedPair(event.prevKv),
      })),
    });
  }

  compacted(watchId: WatchId, compactRevision: Revision): boolean {
    return this.tell(watchId, { canceled: true, compactRevision });
  }

  progress(watchId: WatchId, revision: Revision): boolean {
    return this.tell(watchId, { revision });
  }

  answersOf(watchId: number): readonly RecordedAnswer[] {
    return this.told.filter((told) => told.watchId === watchId).map(({ answer }) => answer);
  }

  /** "key@revision" of all events of a watch. */
  eventsOf(watchId: number): readonly string[] {
    return this.answersOf(watchId).flatMap(({ events }) => events.map(eventText));
  }

  private tell(watchId: WatchId, part: Partial<RecordedAnswer>): boolean {
    if (this.stream?.behind && part.created !== true)
      throw new Error("a stream that is behind is told nothing");
    const answer = {
      revision: 0,
      created: false,
      canceled: false,
      compactRevision: 0,
      fragment: false,
      events: [],
    };
    this.told.push({ watchId: Number(watchId), answer: { ...answer, ...part } });
    return ++this.unread <= this.room;
  }
}

export function eventText({ kind, pair }: RecordedEvent): string {
  return `${kind === "put" ? "" : "-"}${pair.key}@${pair.modRevision}`;
}

export function watchCreate(
  key: string,
  more: Partial<Omit<WatchCreate, "key" | "rangeEnd">> & { readonly rangeEnd?: string } = {},
): WatchCreate {
  const { rangeEnd = "", ...rest } = more;
  return {
    startRevision: 0,
    watchId: 0,
    options: 0,
    ...rest,
    key: latin1ToBytes(key),
    rangeEnd: latin1ToBytes(rangeEnd),
  };
}

function recordedPair(pair: KeyValue): RecordedPair {
  return {
    key: bytesToLatin1(pair.key),
    value: bytesToLatin1(pair.value),
    createRevision: Number(pair.createRevision),
    modRevision: Number(pair.modRevision),
    version: Number(pair.version),
  };
}

/** Store, hub and history of one member, with everything that was ever written for the checker. */
export class WatchBench implements ChangeSink {
  store: MvccStore;
  log = new WalkedLog();
  readonly hub: WatchHub;
  readonly written: RecordedEvent[] = [];
  readable = true;
  woken = false;

  constructor() {
    this.hub = new WatchHub({
      source: () => ({ store: this.store, history: this.log, readable: this.readable }),
      wake: () => {
        this.woken = true;
      },
    });
    this.store = new MvccStore({}, { log: this.log, leases: new MemoryLeases(), changes: this });
    this.hub.deliver();
  }

  committed(revision: Revision, changes: readonly Change[]): void {
    this.record(changes);
    this.hub.committed(revision, changes);
  }

  /** Runs the steps that the hub asked for, until it asks for none. */
  settle(): void {
    this.hub.deliver();
    for (let steps = 0; this.woken && this.readable; steps++) {
      if (steps > 10_000) throw new Error("the hub asks for steps without end");
      this.woken = false;
      this.hub.catchUp();
    }
  }

  /** Puts the store of a member that is ahead in the place of this one, as a snapshot does. */
  install(other: WatchBench): void {
    const store = new MvccStore({}, { log: other.log, leases: new MemoryLeases(), changes: this });
    store.restoreSlice(sliceOf(other.log.records));
    store.finishRestore({ revision: other.store.revision, compactedRevision: other.store.compactedRevision });
    this.store = store;
    this.log = other.log;
    this.written.length = 0;
    this.written.push(...other.written);
  }

  compact(revision: Revision): void {
    this.store.compact(revision);
    this.log.compact((record) => this.store.isAlive(record, this.store.compactedRevision));
  }

  client(): FakeClient {
    return new FakeClient(this);
  }

  private record(changes: readonly Change[]): void {
    for (const { kind, keyValue, key, main } of changes) {
      const previous = this.written.findLast(({ pair }) => pair.key === key);
      this.written.push({
        kind,
        pair: ownPair(keyValue),
        previous: previous?.kind === "put" && previous.pair.modRevision < main ? previous.pair : undefined,
      });
    }
  }
}

function ownPair(keyValue: Uint8Array): RecordedPair {
  const { key, value, createRevision, modRevision, version } = decodeKeyValue(keyValue);
  return { key: bytesToLatin1(key), value: bytesToLatin1(value), createRevision, modRevision, version };
}

/** What the checker wants to know of a watch. */
export function recordedWatch(
  client: FakeClient,
  watchId: number,
  request: WatchCreate,
  completeTo: number | undefined,
): RecordedWatch {
  return {
    name: `watch ${watchId} of ${bytesToLatin1(request.key)}`,
    key: bytesToLatin1(request.key),
    rangeEnd: bytesToLatin1(request.rangeEnd),
    startRevision: request.startRevision,
    prevKv: (request.options & WatchOption.PrevKv) !== 0,
    noPut: (request.options & WatchOption.NoPut) !== 0,
    noDelete: (request.options & WatchOption.NoDelete) !== 0,
    // A progress notification of the whole stream is one of each watch that was there.
    answers: client.told
      .filter((told) => told.watchId === watchId || told.watchId === -1)
      .map(({ answer }) => answer),
    completeTo,
  };
}
