/**
 * One HTTP/2 connection (RFC 9113), of either side: its streams, its windows, its end. What arrives is
 * dispatched by inbound.ts; what leaves goes through sender.ts.
 */
import type { Socket } from "node:net";
import { assert } from "../../base/assert.js";
import { limits } from "../../base/limits.js";
import { fairTimeout } from "./fair-timer.js";
import { FloodGuard } from "./flood-guard.js";
import { FlowWindows } from "./flow-control.js";
import { Inbound } from "./inbound.js";
import { Keepalive, type KeepaliveOptions } from "./keepalive.js";
import { flushSoon, type LateFlushable, noteArrival } from "./late-flush.js";
import { Output } from "./output.js";
import {
  ConnectionError,
  clientPreface,
  defaultWindowBytes,
  ErrorCode,
  Flag,
  FrameType,
  SettingId,
  streamIdMax,
} from "./protocol.js";
import { ReceiveBudget } from "./receive-budget.js";
import type { RequestHead } from "./request-head.js";
import { Sender } from "./sender.js";
import type { Setting } from "./settings.js";
import { Stream, type StreamHandler } from "./stream.js";
import { StreamTable } from "./stream-table.js";
import { flushAtEndOfTurn } from "./turn-flush.js";

export interface ConnectionOptions {
  readonly role: "server" | "client";
  /** Streams that the peer may have open at once. */
  readonly concurrentStreamsMax: number;
  readonly keepalive: KeepaliveOptions;
}

/** What the owner of a connection is told. */
export interface ConnectionOwner {
  /** A server's: a request begins on `stream`. The handler gets its data. */
  request(stream: Stream, head: RequestHead, endStream: boolean): StreamHandler | undefined;
  /** The peer will take no streams above `lastStreamId`. */
  goAway(lastStreamId: number, code: number, text: string): void;
  /** The connection is gone; every stream's handler was told before. */
  closedConnection(reason: string): void;
}

/** How far the end of a connection has come. */
type Phase = "open" | "draining" | "lastStreamsNamed" | "closed";

export class Connection {
  readonly streams = new StreamTable();
  readonly windows = new FlowWindows(defaultWindowBytes, limits.connectionWindowBytes);
  readonly sender: Sender;
  readonly floods = new FloodGuard();
  readonly keepalive: Keepalive;
  private readonly output: Output;
  private readonly inbound: Inbound;
  readonly receiving = new ReceiveBudget(this.windows, (streamId, increment) =>
    this.writeWindowUpdate(streamId, increment),
  );
  private readonly resetByUs = new Set<number>();
  private lateFlushRequested = false;
  private lateFlushLooks = 0;
  private phase: Phase = "open";

  constructor(
    readonly options: ConnectionOptions,
    private readonly deps: { readonly socket: Socket; readonly owner: ConnectionOwner },
  ) {
    const { socket } = deps;
    this.output = new Output(socket);
    this.keepalive = new Keepalive(options.keepalive, performance.now());
    this.sender = new Sender({
      output: this.output,
      windows: this.windows,
      requestFlush: () => {
        this.keepalive.noteSent();
        this.requestFlush();
      },
      noteSent: () => this.keepalive.noteSent(),
      localEnd: (stream) => this.localEnd(stream),
    });
    this.inbound = new Inbound(this);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.received(chunk));
    socket.on("drain", () => this.flush());
    socket.on("end", () => this.destroy("the peer closed the connection"));
    socket.on("error", (error) => this.destroy(error.message));
    socket.on("close", () => this.destroy("the connection was closed"));
    this.sendPreface();
  }

  get socket(): Socket {
    return this.deps.socket;
  }

  get owner(): ConnectionOwner {
    return this.deps.owner;
  }

  get closed(): boolean {
    return this.phase === "closed";
  }

  /** A client's: no more streams can be opened. */
  get exhausted(): boolean {
    return this.inbound.streamIds.exhausted;
  }

  /** Bytes that wait to be sent on all streams. */
  get sendWaitingBytes(): number {
    return this.sender.waitingBytes;
  }

  /** A client's: opens the next stream. The first one is 1. */
  openStream(handler: StreamHandler): Stream {
    assert(this.options.role === "client", "only a client opens streams");
    const stream = this.addStream(this.inbound.streamIds.next());
    stream.handler = handler;
    return stream;
  }

  addStream(id: number): Stream {
    const stream = new Stream(id, this.sender.initialWindowBytes, limits.streamWindowBytes);
    this.streams.add(stream);
    return stream;
  }

  /** Ends a stream at once, with RST_STREAM. Its handler is not told. */
  resetStream(stream: Stream, code: ErrorCode): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.writeReset(stream.id, code);
    this.removeStream(stream);
  }

  /** RST_STREAM for a stream that may not exist here. What still comes for it is ignored. */
  writeReset(streamId: number, code: ErrorCode): void {
    this.output.frameHeader(4, FrameType.ResetStream, 0, streamId);
    this.output.uint32(code);
    this.resetByUs.add(streamId);
    if (this.resetByUs.size > limits.resetStreamsRemembered) {
      for (const oldest of this.resetByUs) {
        this.resetByUs.delete(oldest);
        break;
      }
    }
    this.requestFlush();
  }

  wasResetByUs(streamId: number): boolean {
    return this.resetByUs.has(streamId);
  }

  /** Forgets a stream that is over. */
  removeStream(stream: Stream): void {
    this.sender.forget(stream);
    this.receiving.release(stream);
    this.streams.delete(stream.id);
    stream.handler = undefined;
    stream.localClosed = true;
    stream.remoteClosed = true;
    if (this.streams.size === 0 && this.phase === "lastStreamsNamed") this.endSocket();
  }

  /** Section 6.7. It may leave together with the next answer: see late-flush.ts. */
  answerPing(payloadHigh: number, payloadLow: number): void {
    this.putPing(payloadHigh, payloadLow, Flag.Ack);
    if (this.lateFlushRequested) return;
    this.lateFlushRequested = true;
    flushSoon(this);
  }

  flushLate(busy: boolean): ReturnType<LateFlushable["flushLate"]> {
    const { output } = this;
    this.lateFlushLooks++;
    const waits = (busy || this.owesAnswer) && this.lateFlushLooks < limits.lateFlushLooksMax;
    if (waits && output.queuedBytes > 0) return "waits";
    this.lateFlushRequested = false;
    this.lateFlushLooks = 0;
    if (output.queuedBytes === 0) return "nothing";
    this.flush();
    return "written";
  }

  writeSettings(settings: readonly Setting[], flags: number): void {
    this.output.frameHeader(settings.length * 6, FrameType.Settings, flags, 0);
    for (const [id, value] of settings) {
      this.output.uint16(id);
      this.output.uint32(value);
    }
    this.requestFlush();
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    this.output.frameHeader(4, FrameType.WindowUpdate, 0, streamId);
    this.output.uint32(increment);
    this.requestFlush();
  }

  /**
   * Begins a graceful end (section 6.8): first a GOAWAY that names no last stream, so that requests on their
   * way are still served; once the peer has answered a ping behind it, `nameLastStream`.
   */
  drain(): void {
    if (this.phase !== "open") return;
    this.phase = "draining";
    this.writeGoAway(streamIdMax, ErrorCode.NoError, "");
    this.writePing(drainPing, drainPing);
  }

  pingAnswered(payloadHigh: number): void {
    if (payloadHigh === drainPing) this.nameLastStream();
  }

  nameLastStream(): void {
    if (this.phase !== "draining") return;
    this.phase = "lastStreamsNamed";
    this.writeGoAway(this.inbound.streamIds.lastPeer, ErrorCode.NoError, "");
    if (this.streams.size === 0) this.endSocket();
  }

  /** True once streams that the peer opens are no longer served. */
  get refusesStreams(): boolean {
    return this.phase === "lastStreamsNamed" || this.phase === "closed";
  }

  /** Looks after the time limits; called every now and then. */
  sweep(nowMs: number): void {
    const headerDueMs = nowMs - limits.handshakeTimeoutMs;
    const openSinceMs = this.inbound.incompleteSinceMs;
    if (openSinceMs !== undefined && openSinceMs < headerDueMs) {
      this.fail(
        new ConnectionError(ErrorCode.EnhanceYourCalm, "a preface or header block that does not end"),
      );
      return;
    }
    const action = this.keepalive.sweep(nowMs);
    if (action === "ping") this.writePing(0, 0);
    else if (action === "close") this.fail(new ConnectionError(ErrorCode.NoError, "keepalive ping failed"));
  }

  /** A connection error: GOAWAY with its code, then the end. */
  fail(error: ConnectionError): void {
    if (this.closed) return;
    this.writeGoAway(this.inbound.streamIds.lastPeer, error.code, error.message);
    this.output.flush();
    this.deps.socket.end();
    this.destroy(error.message);
  }

  /** Ends the connection now, without a word. */
  destroy(reason: string): void {
    if (this.closed) return;
    this.phase = "closed";
    this.inbound.stop();
    this.output.discard();
    for (const stream of this.streams.list()) {
      const { handler } = stream;
      this.removeStream(stream);
      handler?.closed(undefined);
    }
    lingerThenDestroy(this.deps.socket);
    this.deps.owner.closedConnection(reason);
  }

  /** Has everything written at the end of this turn of the event loop. */
  requestFlush(): void {
    const { output } = this;
    if (output.flushRequested || this.closed) return;
    output.flushRequested = true;
    flushAtEndOfTurn(this);
  }

  flush(): void {
    const { output } = this;
    output.flushRequested = false;
    if (this.closed) return;
    if (output.congested) {
      // Only control frames are made while the peer does not read; many of them mean a flood.
      if (output.queuedBytes > limits.controlBytesMax) this.destroy("the peer does not read");
      return;
    }
    const more = this.sender.pump();
    output.flush();
    if (more && !output.congested) {
      output.flushRequested = true;
      setImmediate(flushConnection, this);
    }
  }

  /** The newest request is whole and not answered; true for a short time, unless it is one of those that last. */
  private get owesAnswer(): boolean {
    const newest = this.streams.get(this.inbound.streamIds.lastPeer);
    return newest?.remoteClosed === true && !newest.localClosed;
  }

  private received(chunk: Buffer): void {
    if (this.closed) return;
    this.keepalive.noteHeard();
    noteArrival();
    try {
      this.inbound.push(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error);
    }
  }

  /** Our side of a stream is ended; a server that has answered needs no more of the request (section 8.1). */
  private localEnd(stream: Stream): void {
    if (stream.remoteClosed) this.removeStream(stream);
    else if (this.options.role === "server") this.resetStream(stream, ErrorCode.NoError);
  }

  private sendPreface(): void {
    const { role, concurrentStreamsMax } = this.options;
    const settings: Setting[] = [
      [SettingId.InitialWindowSize, limits.streamWindowBytes],
      [SettingId.MaxHeaderListSize, limits.headerListBytesMax],
    ];
    if (role === "server") settings.push([SettingId.MaxConcurrentStreams, concurrentStreamsMax]);
    else {
      settings.push([SettingId.EnablePush, 0]);
      this.output.part(clientPreface);
    }
    this.writeSettings(settings, 0);
    this.writeWindowUpdate(0, limits.connectionWindowBytes - defaultWindowBytes);
  }

  private writePing(payloadHigh: number, payloadLow: number): void {
    this.putPing(payloadHigh, payloadLow, 0);
    this.requestFlush();
  }

  private putPing(payloadHigh: number, payloadLow: number, flags: number): void {
    this.output.frameHeader(8, FrameType.Ping, flags, 0);
    this.output.uint32(payloadHigh);
    this.output.uint32(payloadLow);
  }

  private writeGoAway(lastStreamId: number, code: ErrorCode, text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.output.frameHeader(8 + bytes.length, FrameType.GoAway, 0, 0);
    this.output.uint32(lastStreamId);
    this.output.uint32(code);
    this.output.part(bytes);
    this.requestFlush();
  }

  private endSocket(): void {
    this.flush();
    if (this.closed) return;
    this.deps.socket.end();
    this.destroy("drained");
  }
}

/** Payload of the ping behind the first GOAWAY; ours alone, so any fixed number does. */
const drainPing = 0x6472_6169;

function flushConnection(connection: Connection): void {
  connection.flush();
}

/**
 * Lets the last bytes reach the peer: closing a socket with unread input makes the kernel send RST, which can
 * overtake the GOAWAY. So input is read and dropped until the peer closes, for a moment.
 */
function lingerThenDestroy(socket: Socket): void {
  if (socket.destroyed) return;
  if (!socket.writableEnded) {
    socket.destroy();
    return;
  }
  socket.once(
    "close",
    fairTimeout(limits.closeLingerMs, () => socket.destroy()),
  );
  socket.resume();
}
