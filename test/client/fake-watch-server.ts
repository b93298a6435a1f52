/** The watch service over a history held in memory, whose streams break after as many answers as a test says. */
import { type WatchRequest, WatchResponse } from "../../src/gen/etcdserver.js";
import { Event, Event_EventType } from "../../src/gen/kv.js";
import { FakeConnection, type FakeStream } from "./fake-connection.js";

type Stream = FakeStream<WatchRequest, WatchResponse>;

interface ServedWatch {
  readonly stream: Stream;
  readonly id: bigint;
  next: bigint;
}

export class FakeWatchServer {
  readonly connection = new FakeConnection<WatchRequest, WatchResponse>((stream, request) =>
    queueMicrotask(() => this.serve(stream, request)),
  );
  /** Revision and events, ascending. */
  private readonly history: { readonly revision: bigint; readonly events: readonly Event[] }[] = [];
  private readonly watches = new Map<string, ServedWatch>();
  private readonly idsOf = new Map<Stream, bigint>();
  revision = 1n;
  compacted = 0n;
  answers = 0;
  cancels = 0;
  created = 0;
  /** Whether the stream breaks after this many answers in all. */
  breaksAfter: (answers: number) => boolean = () => false;
  revisionsPerAnswer = 1;
  eventsPerFragment = Number.POSITIVE_INFINITY;

  /** One transaction. */
  put(keys: readonly string[], value = ""): void {
    this.revision++;
    const { revision } = this;
    const events = keys.map((key) =>
      Event.create({
        type: Event_EventType.PUT,
        kv: { key: Buffer.from(key), modRevision: revision, value: Buffer.from(value) },
      }),
    );
    this.history.push({ revision, events });
    for (const watch of this.watches.values()) this.catchUp(watch);
  }

  compact(revision: bigint): void {
    this.compacted = revision;
  }

  private serve(stream: Stream, { requestUnion: request }: WatchRequest): void {
    if (stream.isOver) return;
    switch (request?.$case) {
      case "createRequest": {
        const id = this.idsOf.get(stream) ?? 0n;
        this.idsOf.set(stream, id + 1n);
        this.created++;
        const { startRevision } = request.value;
        const next = startRevision === 0n ? this.revision + 1n : startRevision;
        const watch = { stream, id, next };
        this.send(stream, { watchId: id, created: true });
        if (next <= this.compacted) {
          this.send(stream, { watchId: id, canceled: true, compactRevision: this.compacted + 1n });
          return;
        }
        this.watches.set(`${this.connection.streams.indexOf(stream)}/${id}`, watch);
        this.catchUp(watch);
        return;
      }
      case "cancelRequest": {
        this.cancels++;
        const key = `${this.connection.streams.indexOf(stream)}/${request.value.watchId}`;
        if (this.watches.delete(key)) {
          this.send(stream, { watchId: request.value.watchId, canceled: true });
        }
        return;
      }
      case "progressRequest":
        this.send(stream, { watchId: -1n });
        return;
      case undefined:
    }
  }

  private catchUp(watch: ServedWatch): void {
    while (!watch.stream.isOver) {
      const due = this.history
        .filter(({ revision }) => revision >= watch.next)
        .slice(0, this.revisionsPerAnswer);
      if (due.length === 0) return;
      watch.next = due.at(-1)!.revision + 1n;
      const events = due.flatMap((entry) => entry.events);
      for (let at = 0; at < events.length; at += this.eventsPerFragment) {
        const fragment = at + this.eventsPerFragment < events.length;
        const part = events.slice(at, at + this.eventsPerFragment);
        this.send(watch.stream, { watchId: watch.id, events: part, fragment });
      }
    }
  }

  private send(stream: Stream, response: Parameters<typeof WatchResponse.fromPartial>[0]): void {
    if (stream.isOver) return;
    stream.answer(WatchResponse.fromPartial({ header: { revision: this.revision }, ...response }));
    this.answers++;
    if (this.breaksAfter(this.answers)) stream.break();
  }
}
