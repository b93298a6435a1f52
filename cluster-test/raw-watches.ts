/**
 * Several watches on one stream of the wire, gone on with by hand: when the stream breaks, or is left on purpose,
 * each is asked for again at another member, after the last header that it was told.
 */
import { setTimeout as delay } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import {
  WatchCreateRequest,
  WatchCreateRequest_FilterType,
  WatchRequest,
  WatchResponse,
} from "../src/gen/etcdserver.js";
import { Event_EventType } from "../src/gen/kv.js";
import type { Dice } from "../test/sim/dice.js";
import { recordedEvent } from "./recorded.js";
import type { RecordedAnswer } from "./watch-checker.js";
import type { WatchPlan, WatchRecord, WatchRecorder } from "./watch-recorder.js";
import { patienceMs, within } from "./within.js";

const reopenMs = 50;
const progressMs = 300;
const wholeStream = -1n;
/** Chosen by the client; far from those that servers choose. */
const firstOwnId = 1_000n;

type Call = grpc.ClientDuplexStream<WatchRequest, WatchResponse>;

interface Watch {
  readonly name: string;
  readonly plan: WatchPlan;
  record: WatchRecord;
  /** To be asked for from here on; 0: from now on. */
  next: number;
  /** Of the stream that there is now. */
  id: bigint | undefined;
}

export class RawWatches {
  private readonly watches: Watch[];
  private creating: Watch[] = [];
  private readonly live = new Map<bigint, Watch>();
  private readonly clients: readonly grpc.Client[];
  private call: Call | undefined;
  private closed = false;
  private finish: { readonly revision: number; readonly resolve: () => void } | undefined;
  private ownIds = firstOwnId;
  /** What no server should say. */
  private nonsense: string | undefined;

  constructor(
    endpoints: readonly string[],
    plans: readonly WatchPlan[],
    private readonly deps: { readonly name: string; readonly dice: Dice; readonly recorder: WatchRecorder },
  ) {
    this.clients = endpoints.map(
      (endpoint) =>
        new grpc.Client(endpoint, grpc.credentials.createInsecure(), {
          "grpc.max_receive_message_length": -1,
          "grpc.use_local_subchannel_pool": 1,
          "grpc.max_reconnect_backoff_ms": 500,
          "grpc.initial_reconnect_backoff_ms": 50,
        }),
    );
    this.watches = plans.map((plan, at) => {
      const name = `${deps.name}.${at}`;
      const next = plan.startRevision;
      return { name, plan, record: deps.recorder.begin(name, plan, next), next, id: undefined };
    });
    this.open();
  }

  /** Leaves the stream and goes on elsewhere. */
  leave(): void {
    this.broken();
  }

  /** Takes nothing from the network until `read`. */
  stopReading(): void {
    this.call?.pause();
  }

  read(): void {
    this.call?.resume();
  }

  /** Resolves when every watch was told that it has got everything up to `revision`. */
  async complete(revision: number): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.finish = { revision, resolve };
    });
    this.read();
    this.settle();
    // A request that comes while a stream is being opened, or goes with it, is not answered.
    const again = setInterval(() => this.requestProgress(), progressMs);
    this.requestProgress();
    try {
      await within(patienceMs(0), `${this.deps.name} complete up to ${revision}`, done);
    } catch (error) {
      throw new Error(`${(error as Error).message}; ${this.nonsense}; ${this.state()}`);
    } finally {
      clearInterval(again);
    }
    if (this.nonsense !== undefined) throw new Error(`${this.deps.name}: ${this.nonsense}`);
    for (const { record } of this.watches) record.completeTo = revision;
  }

  close(): void {
    this.closed = true;
    this.call?.cancel();
    for (const client of this.clients) client.close();
  }

  private state(): string {
    return this.watches.map(({ next, id }) => `${id} ${next}`).join(", ");
  }

  private open(): void {
    if (this.closed) return;
    const metadata = new grpc.Metadata();
    if (this.deps.dice.chance(0.5)) metadata.set("hasleader", "true");
    const call: Call = this.deps.dice.pick(this.clients).makeBidiStreamRequest(
      "/etcdserverpb.Watch/Watch",
      (request: WatchRequest) => Buffer.from(WatchRequest.encode(request).finish()),
      (bytes: Buffer) => WatchResponse.decode(bytes),
      metadata,
    );
    this.call = call;
    call.on("data", (answer: WatchResponse) => {
      if (call === this.call) this.receive(answer);
    });
    call.on("error", () => undefined);
    call.on("status", () => {
      if (call === this.call) this.broken();
    });
    for (const watch of this.watches) this.ask(watch);
  }

  private ask(watch: Watch): void {
    const { plan, next } = watch;
    const { NOPUT, NODELETE } = WatchCreateRequest_FilterType;
    const value = WatchCreateRequest.fromPartial({
      key: Buffer.from(plan.key),
      rangeEnd: Buffer.from(plan.rangeEnd),
      startRevision: BigInt(next),
      prevKv: plan.prevKv,
      filters: [...(plan.noPut ? [NOPUT] : []), ...(plan.noDelete ? [NODELETE] : [])],
      fragment: this.deps.dice.chance(0.7),
      progressNotify: this.deps.dice.chance(0.5),
      // 0: the server chooses.
      watchId: this.deps.dice.chance(0.5) ? this.ownIds++ : 0n,
    });
    this.creating.push(watch);
    this.call!.write({ requestUnion: { $case: "createRequest", value } });
  }

  private broken(): void {
    const { call } = this;
    this.call = undefined;
    call?.cancel();
    this.creating = [];
    this.live.clear();
    const { recorder } = this.deps;
    // Where no member took the stream there is nothing to go on from.
    if (this.watches.some(({ record }) => record.answers.length > 0)) recorder.counts.resumed++;
    for (const watch of this.watches) {
      watch.id = undefined;
      if (watch.record.answers.length === 0) continue;
      watch.record = recorder.begin(watch.name, watch.plan, watch.next);
    }
    if (this.closed) return;
    void delay(reopenMs).then(() => this.open());
  }

  private requestProgress(): void {
    if (this.call !== undefined && this.creating.length === 0) {
      this.call.write({ requestUnion: { $case: "progressRequest", value: {} } });
    }
  }

  private receive(answer: WatchResponse): void {
    const recorded = toRecorded(answer);
    if (answer.created) {
      const watch = this.creating.shift();
      if (watch === undefined || answer.canceled) {
        this.nonsense ??= `refused: ${answer.cancelReason}`;
        return;
      }
      watch.id = answer.watchId;
      this.live.set(answer.watchId, watch);
      this.deps.recorder.note(watch.record, recorded);
      if (watch.next === 0) watch.next = recorded.revision + 1;
      return;
    }
    if (answer.watchId === wholeStream) {
      for (const watch of this.live.values()) this.tell(watch, recorded);
    } else {
      const watch = this.live.get(answer.watchId);
      if (watch === undefined) this.nonsense ??= `an answer to nobody: ${JSON.stringify(recorded)}`;
      else this.tell(watch, recorded);
    }
    this.settle();
  }

  private tell(watch: Watch, answer: RecordedAnswer): void {
    this.deps.recorder.note(watch.record, answer);
    if (!answer.canceled) {
      if (!answer.fragment) watch.next = Math.max(watch.next, answer.revision + 1);
      return;
    }
    this.live.delete(watch.id!);
    watch.next = answer.compactRevision;
    watch.record = this.deps.recorder.begin(watch.name, watch.plan, watch.next);
    this.ask(watch);
  }

  private settle(): void {
    const { finish } = this;
    if (finish === undefined || this.call === undefined) return;
    const done = this.watches.every(
      ({ record, next }) => record.answers.length > 0 && next > finish.revision,
    );
    if (done) finish.resolve();
  }
}

function toRecorded(answer: WatchResponse): RecordedAnswer {
  return {
    revision: Number(answer.header!.revision),
    created: answer.created,
    canceled: answer.canceled,
    compactRevision: Number(answer.compactRevision),
    fragment: answer.fragment,
    events: answer.events.map(({ type, kv, prevKv }) =>
      recordedEvent(type === Event_EventType.DELETE ? "delete" : "put", kv!, prevKv),
    ),
  };
}
