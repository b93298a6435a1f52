/** Events of some keys as a service of this member sees them: a watch of its own, read one batch at a time. */
import type { Revision } from "../base/brand.js";
import { concatBytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { WatchResponse } from "../gen/etcdserver.js";
import type { Event } from "../gen/kv.js";
import type { Member } from "../member/contract.js";
import type { KeySpan } from "../mvcc/requests.js";
import type { EncodedEvents } from "../mvcc/watch/event-batch.js";
import type { Watch } from "../mvcc/watch/watch.js";
import type { WatchOutlet, WatchStream } from "../mvcc/watch/watch-stream.js";
import { type CallContext, RpcStatus, StatusCode } from "../transport/rpc.js";

/** What happened to one of the keys, in whole revisions up to `revision`. */
export interface KeyEvents {
  readonly events: readonly Event[];
  readonly revision: Revision;
}

export class KeyEventReader implements WatchOutlet, Disposable {
  private readonly stream: WatchStream;
  private readonly waiting: KeyEvents[] = [];
  private failure: Error | undefined;
  private wake: () => void = () => {};

  /** All events from revision `from` on. */
  constructor(member: Member, spans: readonly KeySpan[], from: Revision, call: CallContext) {
    this.stream = member.watches.open(this);
    for (const span of spans) {
      const made = this.stream.create({ ...span, startRevision: from, watchId: 0, options: 0 });
      if (typeof made === "string") this.fail(storeError("RequestTooManyRequests"));
    }
    call.onCancel(() => this.fail(new RpcStatus(StatusCode.Canceled, "context canceled")));
  }

  /** Errors: Compacted, RpcStatus Canceled when the client is gone. */
  async next(): Promise<KeyEvents> {
    while (true) {
      if (this.failure !== undefined) throw this.failure;
      const first = this.waiting.shift();
      if (first !== undefined) {
        if (this.waiting.length === 0 && this.stream.behind) this.stream.resume();
        return first;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  events(_watch: Watch, encoded: EncodedEvents, revision: Revision): boolean {
    const { events } = WatchResponse.decode(concatBytes(encoded.parts));
    this.waiting.push({ events, revision });
    this.wake();
    return this.waiting.length < limits.keyEventsWaitingMax;
  }

  compacted(): boolean {
    this.fail(storeError("Compacted"));
    return true;
  }

  progress(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.stream.close();
  }

  private fail(reason: Error): void {
    this.failure ??= reason;
    this.wake();
  }
}
