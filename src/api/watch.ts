/**
 * The Watch service: one call is one stream of many watches. Requests are answered in their order; events come
 * from the hub in between. A client that does not read stops its own requests, and its events wait as history.
 */

import type { Revision } from "../base/brand.js";
import { failpoints } from "../base/failpoint.js";
import { limits } from "../base/limits.js";
import type { Counter, MetricRegistry } from "../base/metrics.js";
import { nextTurn } from "../base/next-turn.js";
import type { HeaderFields, Member } from "../member/contract.js";
import {
  decodeWatchRequest,
  encodeWatchAnswer,
  encodeWatchEvents,
  type WatchAnswer,
  type WatchRequest,
  watchHeadBytesMax,
} from "../mvcc/watch/codec.js";
import type { EncodedEvents } from "../mvcc/watch/event-batch.js";
import { noWatchId, type Watch, type WatchCreate, type WatchId, WatchOption } from "../mvcc/watch/watch.js";
import type { WatchOutlet, WatchRefusal, WatchStream } from "../mvcc/watch/watch-stream.js";
import type { Clock } from "../ports/clock.js";
import type { BidiMethod, CallContext, ResponseSink, RpcMethod } from "../transport/rpc.js";
import { errorText } from "./error-table.js";

export interface WatchOptions {
  /** --watch-progress-notify-interval in ms; at least limits.watchProgressMsMin. */
  readonly progressNotifyMs: number;
  /** An answer of this many bytes or more is sent in fragments to a watch that takes them; etcd: the largest request and its overhead. */
  readonly fragmentBytes: number;
}

export interface WatchDeps {
  readonly clock: Clock;
  readonly registry: MetricRegistry;
  /** A uniform number in [0, 1): spreads notifications that would else come at the same time. */
  readonly random: () => number;
}

type Encoded = Uint8Array | readonly Uint8Array[];

/** Events that were given to streams whose clients have not taken them yet. */
interface Backlog {
  events: number;
}

export function watchMethods(member: Member, options: WatchOptions, deps: WatchDeps): readonly RpcMethod[] {
  const backlog: Backlog = { events: 0 };
  deps.registry.gauge("etcd_debugging_mvcc_pending_events_total").follow(() => backlog.events);
  const method: BidiMethod<WatchRequest, Encoded> = {
    kind: "bidi",
    path: "/etcdserverpb.Watch/Watch",
    decode: decodeWatchRequest,
    encode: (parts) => parts,
    handle: (requests, call, sink) =>
      new WatchCall(sink, options, { ...deps, member, backlog }).run(requests, call),
  };
  return [method];
}

/** etcd's texts. */
const refusalReasons: Readonly<Record<WatchRefusal, string>> = {
  emptyRange: "mvcc: watcher range is empty",
  duplicateId: "mvcc: duplicate watch ID provided on the WatchStream",
  tooMany: errorText("RequestTooManyRequests"),
};

class WatchCall implements WatchOutlet {
  private readonly stream: WatchStream;
  private readonly eventsSent: Counter;
  private waiting: Promise<void> | undefined;
  /** Its part of the backlog. */
  private waitingEvents = 0;
  private stopNotifying: (() => void) | undefined;

  constructor(
    private readonly sink: ResponseSink<Encoded>,
    private readonly options: WatchOptions,
    private readonly deps: WatchDeps & { readonly member: Member; readonly backlog: Backlog },
  ) {
    this.eventsSent = deps.registry.counter("etcd_debugging_mvcc_events_total");
    this.stream = deps.member.watches.open(this);
  }

  async run(requests: AsyncIterable<WatchRequest>, call: CallContext): Promise<void> {
    let handled = 0;
    try {
      for await (const request of requests) {
        this.handle(request);
        if (this.waiting !== undefined) await this.waiting;
        else if (++handled % limits.watchRequestsPerTurn === 0) await nextTurn();
      }
      // A client that has asked for everything it wants still gets its events.
      await cancelled(call);
    } finally {
      this.stopNotifying?.();
      this.stream.close();
      this.clearBacklog();
    }
  }

  events(watch: Watch, events: EncodedEvents, revision: Revision): boolean {
    failpoints.beforeSendWatchResponse?.();
    const header = this.deps.member.header(revision);
    this.eventsSent.add(events.count);
    const inOne =
      !watch.has(WatchOption.Fragment) || events.bytes + watchHeadBytesMax < this.options.fragmentBytes;
    const keepsUp = inOne
      ? this.write(encodeWatchEvents(header, watch.id, events, false))
      : this.writeFragments(header, watch, events);
    if (!keepsUp) {
      this.waitingEvents += events.count;
      this.deps.backlog.events += events.count;
    }
    return keepsUp;
  }

  private writeFragments(header: HeaderFields, watch: Watch, events: EncodedEvents): boolean {
    const { fragmentBytes } = this.options;
    const pieces = events.split(fragmentBytes - watchHeadBytesMax);
    const last = pieces.length - 1;
    let keepsUp = true;
    pieces.forEach((piece, at) => {
      keepsUp = this.write(encodeWatchEvents(header, watch.id, piece, at < last));
    });
    return keepsUp;
  }

  /** As in etcd the answer carries neither revision nor reason: the compacted revision says it all. */
  compacted(watchId: WatchId, compactRevision: Revision): boolean {
    return this.answer({ watchId, canceled: true, compactRevision }, 0);
  }

  progress(watchId: WatchId, revision: Revision): boolean {
    return this.answer({ watchId }, revision);
  }

  private handle(request: WatchRequest): void {
    switch (request.kind) {
      case "create":
        this.create(request.create);
        return;
      case "cancel":
        if (this.stream.cancel(request.watchId)) this.reply({ watchId: request.watchId, canceled: true });
        return;
      case "progress":
        this.stream.requestProgress();
        return;
      case "none":
        return;
    }
  }

  private create(request: WatchCreate): void {
    const reason = refusalOf(request);
    if (reason !== undefined) {
      this.refuse(reason);
      return;
    }
    const made = this.stream.create(request);
    if (typeof made === "string") {
      this.refuse(refusalReasons[made]);
      return;
    }
    if (made.has(WatchOption.ProgressNotify)) this.startNotifying();
    this.reply({ watchId: made.id, created: true });
  }

  private refuse(cancelReason: string): void {
    this.reply({ watchId: noWatchId, created: true, canceled: true, cancelReason });
  }

  /** The answer to a request, which the stream of events does not know of. */
  private reply(answer: WatchAnswer): void {
    if (!this.answer(answer)) this.stream.pause();
  }

  private answer(answer: WatchAnswer, revision?: Revision): boolean {
    return this.write(encodeWatchAnswer(this.deps.member.header(revision), answer));
  }

  private write(parts: Encoded): boolean {
    if (this.sink.write(parts)) return true;
    this.waiting ??= this.sink.drained().then(
      () => {
        this.waiting = undefined;
        this.clearBacklog();
        this.stream.resume();
      },
      // The call is over; its requests end too, and with them the stream.
      () => {
        this.waiting = undefined;
      },
    );
    return false;
  }

  private clearBacklog(): void {
    this.deps.backlog.events -= this.waitingEvents;
    this.waitingEvents = 0;
  }

  private startNotifying(): void {
    if (this.stopNotifying !== undefined) return;
    const { clock, random } = this.deps;
    const intervalMs = Math.max(this.options.progressNotifyMs, limits.watchProgressMsMin);
    this.stopNotifying = clock.every(intervalMs * (1 + random() / 10), () => this.stream.notifyIdle());
  }
}

/** Why a watch may not be made whatever the others are: the one place for what a client must not ask. */
function refusalOf(request: WatchCreate): string | undefined {
  return request.startRevision < 0 ? errorText("Compacted") : undefined;
}

function cancelled(call: CallContext): Promise<void> {
  return new Promise((resolve) => call.onCancel(resolve));
}
