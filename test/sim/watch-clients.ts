/**
 * Clients that watch: each keeps a few watches on one stream, reads slowly at times, asks for progress, cancels,
 * and goes on at another member when its own is gone, or just so. What each watch is told is checked at once.
 */
import type { Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import type { History } from "./history.js";
import type { MemberProcess } from "./member-process.js";
import type { SimOptions } from "./options.js";
import type { Scheduler } from "./scheduler.js";
import { fragmentBytes } from "./services.js";
import { StreamCall, type Written } from "./stream-call.js";
import type { Trace } from "./trace.js";
import { Violation } from "./violation.js";
import { WatchCheck } from "./watch-checks.js";
import {
  decodeAnswer,
  encodeCancel,
  encodeCreate,
  encodeProgressRequest,
  type WatchAnswer,
  type WatchEvent,
  type WatchSpec,
} from "./watch-wire.js";

export interface WatchClientDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly history: History;
  readonly processes: () => readonly MemberProcess[];
}

type Act = "look" | "pause" | "progress" | "cancel" | "add" | "move" | "wrong";

const mix: readonly (readonly [Act, number])[] = [
  ["look", 30],
  ["pause", 15],
  ["progress", 20],
  ["cancel", 8],
  ["add", 12],
  ["move", 8],
  ["wrong", 3],
];
const mixTotal = mix.reduce((sum, [, weight]) => sum + weight, 0);
const watchesMax = 4;
const actEveryUs = 300_000;

/** A create request that is not answered yet: for a watch, or one that must be refused. */
type Asked = WatchCheck | "refused";

/** One stream of watches at one member. */
interface Stream {
  readonly call: StreamCall;
  readonly asked: Asked[];
  readonly watches: Map<number, WatchCheck>;
  /** Ids whose cancellation is on its way. */
  readonly leaving: Set<number>;
  /** Those of them whose watch a compaction ended meanwhile: the cancellation is answered as any other. */
  readonly ended: Set<number>;
  /** Pieces of an answer whose last one has not come. */
  pieces: WatchEvent[];
}

export class WatchClient {
  private readonly dice: Dice;
  private stream: Stream | undefined;
  /** Watches without a stream: the one that they had broke. */
  private homeless: WatchCheck[] = [];
  private count = 0;
  private settling = false;

  constructor(
    readonly name: string,
    private readonly deps: WatchClientDeps,
  ) {
    this.dice = Dice.of(deps.options.seed, `watcher ${name}`);
  }

  start(): void {
    this.deps.scheduler.after(this.dice.exponential(actEveryUs), undefined, () => this.act());
  }

  /** Everything is healed: from now on it only wants to hear all that it is owed. */
  settle(): void {
    this.settling = true;
  }

  /** True when every watch has got everything that was written. */
  get isComplete(): boolean {
    return this.homeless.length === 0 && this.overdue.length === 0;
  }

  describe(): string {
    const { stream } = this;
    const waiting = this.overdue.map(({ name, next }) => `${name} waits for ${next}`);
    return `${this.name} at ${stream?.call.process.name}, ${this.homeless.length} homeless, ${waiting.join(", ")}`;
  }

  private get overdue(): WatchCheck[] {
    const { revision } = this.deps.history;
    return [...(this.stream?.watches.values() ?? [])].filter(({ next }) => !(next! > revision));
  }

  private act(): void {
    const { scheduler } = this.deps;
    if (this.stream?.call.process.alive === false) this.leave();
    if (this.stream === undefined) this.open();
    else if (this.settling) this.settleStream(this.stream);
    else this.actOn(this.stream, this.kind());
    scheduler.after(this.dice.exponential(actEveryUs), undefined, () => this.act());
  }

  private kind(): Act {
    let at = this.dice.below(mixTotal);
    for (const [kind, weight] of mix) {
      if (at < weight) return kind;
      at -= weight;
    }
    return "look";
  }

  private actOn(stream: Stream, kind: Act): void {
    switch (kind) {
      case "look":
        stream.call.read();
        return;
      case "pause":
        stream.call.pauseReading();
        return;
      case "progress":
        stream.call.send(encodeProgressRequest());
        return;
      case "cancel":
        this.cancel(stream);
        return;
      case "add":
        if (stream.watches.size + stream.asked.length < watchesMax) this.ask(stream, this.newWatch());
        return;
      case "move":
        this.deps.coverage.hit("watch/moved to another member");
        this.leave();
        return;
      case "wrong":
        stream.asked.push("refused");
        stream.call.send(encodeCreate({ ...this.spec(), key: "b", rangeEnd: "a" }, 0, 0));
        return;
    }
  }

  private settleStream(stream: Stream): void {
    stream.call.read();
    // A watch that begins in the future keeps the stream from an answer about progress, and nothing will come for it.
    const { revision } = this.deps.history;
    for (const [id, { next }] of stream.watches) {
      if (next! > revision) this.cancelOne(stream, id);
    }
    stream.call.send(encodeProgressRequest());
  }

  private cancel(stream: Stream): void {
    const ids = [...stream.watches.keys()].filter((id) => !stream.leaving.has(id));
    if (ids.length > 0) this.cancelOne(stream, this.dice.pick(ids));
  }

  private cancelOne(stream: Stream, id: number): void {
    if (stream.leaving.has(id)) return;
    stream.leaving.add(id);
    stream.call.send(encodeCancel(id));
  }

  /** Leaves the stream; its watches go on elsewhere. */
  private leave(): void {
    const { stream } = this;
    if (stream === undefined) return;
    stream.call.leave();
    this.stream = undefined;
    const asked = stream.asked.filter((watch) => watch !== "refused");
    this.homeless = [...stream.watches]
      .filter(([id]) => !stream.leaving.has(id))
      .map(([, watch]) => watch)
      .concat(asked);
  }

  private open(): void {
    const { scheduler, trace, processes } = this.deps;
    const ready = processes().filter(({ running }) => running !== undefined);
    if (ready.length === 0) return;
    const process = this.dice.pick(ready);
    // Some clients take little at a time.
    const windowBytes = this.dice.pick([300, 2_000, 65_536]);
    const call = new StreamCall(
      process,
      { windowBytes },
      {
        scheduler,
        trace,
        received: (answer) => this.received(stream, answer),
        ended: () => {
          throw new Violation("watch answers", `${this.name}'s stream was ended by ${process.name}`);
        },
      },
    );
    const stream: Stream = {
      call,
      asked: [],
      watches: new Map(),
      leaving: new Set(),
      ended: new Set(),
      pieces: [],
    };
    this.stream = stream;
    call.start((running) => running.services.watch);
    if (this.homeless.length === 0) this.homeless.push(this.newWatch());
    for (const watch of this.homeless) this.ask(stream, watch);
    this.homeless = [];
  }

  private ask(stream: Stream, watch: WatchCheck): void {
    const taken = [...stream.watches.keys()].find((id) => id > 0 && !stream.leaving.has(id));
    stream.asked.push(watch);
    const id = this.dice.chance(0.3) ? 100 + ++this.count : 0;
    stream.call.send(encodeCreate(watch.spec, watch.next ?? 0, id));
    if (taken !== undefined && this.dice.chance(0.05)) {
      stream.asked.push("refused");
      stream.call.send(encodeCreate(watch.spec, 0, taken));
    }
  }

  private newWatch(): WatchCheck {
    const { history, coverage } = this.deps;
    const { dice } = this;
    const name = `${this.name}.${++this.count}`;
    const { revision } = history;
    const from = dice.pick(["now", "now", "now", "past", "past", "next", "future"] as const);
    coverage.hit(`watch/begun ${from}`);
    const start = {
      now: 0,
      past: 1 + dice.below(revision),
      next: revision + 1,
      future: revision + 1 + dice.below(30),
    };
    return new WatchCheck(name, this.spec(), start[from], { history, coverage });
  }

  private spec(): WatchSpec {
    const { dice } = this;
    const key = `k${dice.below(this.deps.options.keys)}`;
    const span = dice.pick([
      { key, rangeEnd: "" },
      { key: "k", rangeEnd: "l" },
      { key, rangeEnd: "\0" },
      { key: "\0", rangeEnd: "\0" },
    ]);
    return {
      ...span,
      noPut: dice.chance(0.1),
      noDelete: dice.chance(0.15),
      prevKv: dice.chance(0.5),
      fragment: dice.chance(0.4),
      progressNotify: dice.chance(0.4),
    };
  }

  private received(stream: Stream, { bytes, compacted, whileBehind }: Written): void {
    const answer = decodeAnswer(bytes);
    const { trace } = this.deps;
    if (trace.talkative) trace.whisper(`${this.name} <- ${stream.call.process.name} ${describe(answer)}`);
    if (answer.created) this.created(stream, answer);
    else if (answer.canceled) this.canceled(stream, answer, compacted);
    else if (answer.events.length > 0) {
      if (whileBehind && stream.pieces.length === 0)
        throw new Violation("watch backlog", `${this.name} is told more while it is behind`);
      this.events(stream, answer, { bytes: bytes.length, compacted });
    } else this.progress(stream, answer);
  }

  private created(stream: Stream, { watchId, canceled, revision, cancelReason }: WatchAnswer): void {
    const asked = stream.asked.shift();
    if (asked === undefined) throw new Violation("watch answers", `${this.name}: nobody asked for a watch`);
    if (asked === "refused") {
      this.deps.coverage.hit("watch/refused");
      if (!canceled)
        throw new Violation("watch answers", `${this.name}: a wrong request made watch ${watchId}`);
      return;
    }
    if (canceled) throw new Violation("watch answers", `${asked.name} is refused: ${cancelReason}`);
    asked.created(revision);
    stream.watches.set(watchId, asked);
  }

  private canceled(stream: Stream, { watchId, compactRevision }: WatchAnswer, compacted: number): void {
    if (stream.ended.delete(watchId)) {
      stream.leaving.delete(watchId);
      return;
    }
    const watch = this.find(stream, watchId);
    stream.watches.delete(watchId);
    if (compactRevision === 0) {
      if (!stream.leaving.delete(watchId))
        throw new Violation("watch answers", `${watch.name} is canceled, which nobody asked for`);
      this.deps.coverage.hit("watch/canceled");
      return;
    }
    this.deps.coverage.hit("watch/ended by a compaction");
    watch.compacted(compactRevision, compacted);
    if (stream.leaving.has(watchId)) stream.ended.add(watchId);
    else if (!this.settling) {
      watch.next = compactRevision;
      this.ask(stream, watch);
    }
  }

  private events(
    stream: Stream,
    { watchId, fragment, events, revision }: WatchAnswer,
    written: { readonly bytes: number; readonly compacted: number },
  ): void {
    const watch = this.find(stream, watchId);
    const { coverage } = this.deps;
    if (watch.spec.fragment && events.length > 1 && written.bytes >= fragmentBytes)
      throw new Violation("watch fragments", `${watch.name} got a fragment of ${written.bytes} bytes`);
    stream.pieces.push(...events);
    if (fragment) {
      coverage.hit("watch/fragments");
      return;
    }
    const whole = stream.pieces;
    stream.pieces = [];
    watch.events(whole, revision, written.compacted);
  }

  private progress(stream: Stream, { watchId, revision }: WatchAnswer): void {
    const { coverage } = this.deps;
    coverage.hit(watchId < 0 ? "watch/progress on request" : "watch/progress by time");
    if (watchId >= 0) this.find(stream, watchId).progress(revision);
    else for (const watch of stream.watches.values()) watch.progress(revision);
  }

  private find(stream: Stream, watchId: number): WatchCheck {
    const watch = stream.watches.get(watchId);
    if (watch === undefined) throw new Violation("watch answers", `${this.name} has no watch ${watchId}`);
    return watch;
  }
}

function describe({
  watchId,
  revision,
  events,
  created,
  canceled,
  fragment,
  compactRevision,
}: WatchAnswer): string {
  const flags = [created && "created", canceled && `canceled ${compactRevision}`, fragment && "fragment"];
  return `watch ${watchId} at ${revision}: ${events.length} events ${flags.filter(Boolean).join(" ")}`;
}
