/** The watches of one client stream, and what is said to it. */
import type { Revision } from "../../base/brand.js";
import { bytesToLatin1 } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import type { EncodedEvents } from "./event-batch.js";
import { noWatchId, Watch, type WatchCreate, type WatchId, WatchOption } from "./watch.js";

/**
 * Where the answers of a stream go, in the order of the calls. Each call says whether the client keeps up: after
 * a false one the stream is given nothing more before `WatchStream.resume`. Must not call the stream or the hub.
 */
export interface WatchOutlet {
  /** Events of whole revisions; everything up to `revision` that the watch asked for is delivered with them. */
  events(watch: Watch, events: EncodedEvents, revision: Revision): boolean;
  /** The watch is over: it waits for a revision that is compacted. */
  compacted(watchId: WatchId, compactRevision: Revision): boolean;
  /** Everything up to `revision` was delivered to the watch; `noWatchId`: to all watches of the stream. */
  progress(watchId: WatchId, revision: Revision): boolean;
}

/** Why a watch was not made. */
export type WatchRefusal = "emptyRange" | "duplicateId" | "tooMany";

/** What the hub does for its streams. */
export interface StreamHost {
  readonly deliveredRevision: Revision;
  /** Everything from this revision on is told to a watch that is made now without a start revision. */
  nextRevision(): Revision;
  /** Gives a watch its first place. */
  begin(watch: Watch): void;
  /** Takes a watch out of its place. */
  end(watch: Watch): void;
  /** The client has room again: what is parked is served from history. */
  unpark(stream: WatchStream): void;
  /** Answers as soon as all watches of the stream have got everything. */
  awaitProgress(stream: WatchStream): void;
  forget(stream: WatchStream): void;
}

export class WatchStream {
  /** True while the client does not keep up. */
  behind = false;
  /** Watches that missed events and are not live. */
  lagging = 0;
  readonly parked = new Set<Watch>();
  readonly watches = new Map<WatchId, Watch>();
  private nextId = 0;

  constructor(
    private readonly outlet: WatchOutlet,
    private readonly host: StreamHost,
  ) {}

  /** A new watch, or why there is none. Its first event comes later, never inside this call. */
  create(request: WatchCreate): Watch | WatchRefusal {
    const key = request.key.length === 0 ? "\0" : bytesToLatin1(request.key);
    const rangeEnd = bytesToLatin1(request.rangeEnd);
    if (rangeEnd !== "" && rangeEnd !== "\0" && key >= rangeEnd) return "emptyRange";
    if (this.watches.size >= limits.streamWatchesMax) return "tooMany";
    if (request.watchId !== 0 && this.watches.has(request.watchId)) return "duplicateId";
    const id = request.watchId === 0 ? this.freeId() : request.watchId;
    const next = request.startRevision > 0 ? request.startRevision : this.host.nextRevision();
    const watch = new Watch(id, this, key, rangeEnd, request.options, request.startRevision, next);
    this.watches.set(id, watch);
    this.host.begin(watch);
    return watch;
  }

  /** False where there is no such watch. No event of it comes after this. */
  cancel(id: WatchId): boolean {
    const watch = this.watches.get(id);
    if (watch === undefined) return false;
    this.watches.delete(id);
    this.host.end(watch);
    return true;
  }

  /** Answered now or when all watches have got everything; several requests that wait get one answer. */
  requestProgress(): void {
    if (this.watches.size > 0) this.host.awaitProgress(this);
  }

  /** The time for a progress notification has come: to watches that asked for it and got no event since the last. */
  notifyIdle(): void {
    for (const watch of this.watches.values()) {
      if (!watch.has(WatchOption.ProgressNotify)) continue;
      if (watch.idle && !this.behind && this.isUpToDate(watch)) {
        this.behind = !this.outlet.progress(watch.id, this.host.deliveredRevision);
      }
      watch.idle = true;
    }
  }

  /** The client does not take an answer that did not come from here: nothing is given to it before `resume`. */
  pause(): void {
    this.behind = true;
  }

  /** The client keeps up again. */
  resume(): void {
    this.behind = false;
    this.host.unpark(this);
  }

  /** The stream is over: nothing of it is kept. */
  close(): void {
    for (const watch of this.watches.values()) this.host.end(watch);
    this.watches.clear();
    this.host.forget(this);
  }

  /** For the hub: sends events. The stream is not behind. */
  give(watch: Watch, events: EncodedEvents, revision: Revision): void {
    watch.idle = false;
    this.behind = !this.outlet.events(watch, events, revision);
  }

  /** For the hub: the watch was ended by a compaction. The stream is not behind. */
  giveCompacted(watch: Watch, compactRevision: Revision): void {
    this.behind = !this.outlet.compacted(watch.id, compactRevision);
  }

  /** For the hub: answers a progress request, if there is a watch to speak of. False: not yet. */
  tryProgress(): boolean {
    if (this.behind || this.lagging > 0) return false;
    let running = false;
    for (const watch of this.watches.values()) {
      if (watch.place === "ended") continue;
      if (!this.isUpToDate(watch)) return false;
      running = true;
    }
    if (running) this.behind = !this.outlet.progress(noWatchId, this.host.deliveredRevision);
    return true;
  }

  private isUpToDate(watch: Watch): boolean {
    return watch.place === "live" && watch.startRevision <= this.host.deliveredRevision;
  }

  /** From 0 up, as etcd counts, over what the client took. */
  private freeId(): number {
    while (this.watches.has(this.nextId)) this.nextId++;
    return this.nextId++;
  }
}
