/**
 * Sends what streams have to send, within the windows of the peer (RFC 9113, section 5.2) and the room in the
 * socket. What fits at once is written at once; otherwise streams take turns, one frame each, so that a large
 * answer does not delay the small ones beside it.
 */
import { answerPieceOf } from "../../base/answer-pieces.js";
import { concatBytes, copyBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import type { FlowWindows } from "./flow-control.js";
import type { Output } from "./output.js";
import { defaultFramePayloadBytesMax, defaultWindowBytes, Flag, FrameType } from "./protocol.js";
import { ResponseHeaders } from "./response-headers.js";
import type { HeaderBlock, Outbox, Stream } from "./stream.js";

export interface SenderDeps {
  readonly output: Output;
  /** The connection's. */
  readonly windows: FlowWindows;
  /** Something was written or waits: have `pump` and the output's flush run at the end of this turn. */
  readonly requestFlush: () => void;
  /** HEADERS or DATA leave: for the keep-alive policy, also long after the handler wrote them. */
  readonly noteSent: () => void;
  /** We have ended our side of the stream. */
  readonly localEnd: (stream: Stream) => void;
}

export class Sender {
  readonly responseHeaders = new ResponseHeaders();
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  initialWindowBytes = defaultWindowBytes;
  /** The peer's SETTINGS_MAX_CONCURRENT_STREAMS. */
  peerStreamsMax = Number.POSITIVE_INFINITY;
  /** Data that waits on all streams. */
  waitingBytes = 0;
  /** Streams that have something to send, in the order of their turns. */
  private round: Stream[] = [];
  private roundNext = 0;
  /** Streams in the round that are over: kept until their turn, or until they are many. */
  private roundDead = 0;

  constructor(private readonly deps: SenderDeps) {}

  /**
   * Sends a whole answer: head, data, trailers. The common case writes it in one piece.
   * `bytes` is the sum of prefix and parts.
   */
  answer(
    stream: Stream,
    head: HeaderBlock,
    prefix: Uint8Array,
    parts: Uint8Array | readonly Uint8Array[],
    bytes: number,
    trailers: HeaderBlock,
  ): void {
    if (!this.fitsNow(stream, bytes)) {
      this.head(stream, head);
      this.data(stream, prefix, parts, bytes);
      this.end(stream, trailers);
      return;
    }
    this.writeBlock(stream.id, head, false);
    this.writeData(stream, prefix, parts, bytes);
    this.writeBlock(stream.id, trailers, true);
    this.deps.requestFlush();
    stream.localClosed = true;
    this.deps.localEnd(stream);
  }

  /** Sends a header block that does not end the stream. */
  head(stream: Stream, head: HeaderBlock): void {
    if (this.mayWriteNow(stream)) this.writeBlock(stream.id, head, false);
    else {
      stream.openOutbox().head = head;
      this.schedule(stream);
    }
    this.deps.requestFlush();
  }

  /** Sends data. False when too much of it waits now: `StreamHandler.drain` tells when there is room. */
  data(
    stream: Stream,
    prefix: Uint8Array,
    parts: Uint8Array | readonly Uint8Array[],
    bytes: number,
  ): boolean {
    const { output } = this.deps;
    this.deps.requestFlush();
    if (this.fitsNow(stream, bytes)) {
      this.writeData(stream, prefix, parts, bytes);
      // The peer reads while the rest is made, and its memory is still in the processor's cache.
      if (output.queuedBytes >= limits.outputEarlyFlushBytes) output.flush();
      return true;
    }
    const outbox = stream.openOutbox();
    // The prefix is shared memory (grpc-framing.ts), and so may be a small message (rpc.ts): what waits needs its own.
    if (!(parts instanceof Uint8Array)) outbox.parts.push(copyBytes(prefix), ...parts);
    else if (parts.length < limits.outputReferenceBytesMin) outbox.parts.push(concatBytes([prefix, parts]));
    else outbox.parts.push(copyBytes(prefix), parts);
    outbox.dataBytes += bytes;
    this.waitingBytes += bytes;
    this.schedule(stream);
    // Who was told to wait waits until there is room, also where a little more is written in between.
    if (outbox.dataBytes > limits.streamSendBytesMax) outbox.writerWaits = true;
    return !outbox.writerWaits;
  }

  /** Ends our side: with trailers, or ("data") with the last DATA frame. */
  end(stream: Stream, end: HeaderBlock | "data"): void {
    if (this.mayWriteNow(stream)) this.writeEnd(stream, end);
    else {
      stream.openOutbox().end = end;
      this.schedule(stream);
    }
    this.deps.requestFlush();
  }

  /** Drops what waits on a stream that is over. */
  forget(stream: Stream): void {
    const { outbox } = stream;
    if (outbox === undefined) return;
    this.waitingBytes -= outbox.dataBytes;
    stream.outbox = undefined;
    if (!outbox.scheduled) return;
    this.roundDead++;
    if (this.roundDead > 1024 && this.roundDead * 2 > this.round.length - this.roundNext) this.trimRound();
  }

  /** The stream's window grew: it may have its turn. */
  windowGrew(stream: Stream): void {
    if (stream.hasWaiting) {
      this.schedule(stream);
      this.deps.requestFlush();
    }
  }

  /**
   * Lets the waiting streams take turns until the output has a fair amount, the connection's window is used up,
   * or nobody can send. True when some could go on after a flush.
   */
  pump(): boolean {
    const { output } = this.deps;
    while (this.roundNext < this.round.length) {
      if (output.congested || output.queuedBytes >= limits.outputFlushBytes) return !output.congested;
      const stream = this.round[this.roundNext]!;
      const { outbox } = stream;
      if (outbox?.scheduled === true && this.deps.windows.sendBytes <= 0 && needsWindow(outbox)) return false;
      this.roundNext++;
      if (outbox?.scheduled !== true) {
        this.roundDead--;
        continue;
      }
      outbox.scheduled = false;
      this.turn(stream, outbox);
      if (this.roundNext > 1024 && this.roundNext * 2 > this.round.length) this.trimRound();
    }
    this.round.length = 0;
    this.roundNext = 0;
    this.roundDead = 0;
    return false;
  }

  private turn(stream: Stream, outbox: Outbox): void {
    if (outbox.head !== undefined) {
      this.writeBlock(stream.id, outbox.head, false);
      outbox.head = undefined;
    }
    if (outbox.dataBytes > 0) this.dataTurn(stream, outbox);
    if (outbox.dataBytes === 0) {
      if (outbox.end !== undefined && !stream.localClosed) {
        const { end } = outbox;
        outbox.end = undefined;
        this.writeEnd(stream, end);
      }
    } else if (stream.sendBytes > 0) this.schedule(stream);
    if (outbox.writerWaits && outbox.dataBytes * 2 <= limits.streamSendBytesMax) {
      outbox.writerWaits = false;
      stream.handler?.drain();
    }
  }

  private dataTurn(stream: Stream, outbox: Outbox): void {
    const bytes = Math.min(
      outbox.dataBytes,
      stream.sendBytes,
      this.deps.windows.sendBytes,
      defaultFramePayloadBytesMax,
    );
    if (bytes <= 0) return;
    const last = bytes === outbox.dataBytes && outbox.end === "data";
    this.deps.noteSent();
    this.deps.output.frameHeader(bytes, FrameType.Data, last ? Flag.EndStream : 0, stream.id);
    this.takeParts(outbox, bytes);
    outbox.dataBytes -= bytes;
    this.waitingBytes -= bytes;
    stream.sendBytes -= bytes;
    this.deps.windows.sendBytes -= bytes;
    if (last) {
      outbox.end = undefined;
      stream.localClosed = true;
      this.deps.localEnd(stream);
    }
  }

  private takeParts(outbox: Outbox, bytes: number): void {
    let left = bytes;
    while (left > 0) {
      const part = outbox.parts[outbox.next]!;
      const taken = Math.min(left, part.length - outbox.offset);
      this.deps.output.part(part.subarray(outbox.offset, outbox.offset + taken));
      left -= taken;
      outbox.offset += taken;
      if (outbox.offset === part.length) {
        outbox.offset = 0;
        outbox.next++;
        const piece = answerPieceOf(part);
        if (piece !== undefined) this.deps.output.giveBackWhenSent(piece);
      }
    }
    if (outbox.next === outbox.parts.length) {
      outbox.parts.length = 0;
      outbox.next = 0;
    } else if (outbox.next > 1024) {
      outbox.parts.splice(0, outbox.next);
      outbox.next = 0;
    }
  }

  /** Nobody waits before this stream, and the socket takes more. */
  private mayWriteNow(stream: Stream): boolean {
    return !stream.hasWaiting && this.roundNext === this.round.length && !this.deps.output.congested;
  }

  private fitsNow(stream: Stream, bytes: number): boolean {
    return (
      bytes <= defaultFramePayloadBytesMax &&
      bytes <= this.deps.windows.sendBytes &&
      bytes <= stream.sendBytes &&
      this.mayWriteNow(stream)
    );
  }

  private writeData(
    stream: Stream,
    prefix: Uint8Array,
    parts: Uint8Array | readonly Uint8Array[],
    bytes: number,
  ): void {
    const { output } = this.deps;
    output.dataFrame(bytes, stream.id);
    output.part(prefix);
    if (parts instanceof Uint8Array) output.part(parts);
    else for (let i = 0; i < parts.length; i++) output.part(parts[i]!);
    this.deps.windows.sendBytes -= bytes;
    stream.sendBytes -= bytes;
  }

  private schedule(stream: Stream): void {
    const { outbox } = stream;
    if (outbox === undefined || outbox.scheduled) return;
    outbox.scheduled = true;
    this.round.push(stream);
  }

  private trimRound(): void {
    this.round = this.round.slice(this.roundNext).filter((stream) => stream.outbox?.scheduled === true);
    this.roundNext = 0;
    this.roundDead = 0;
  }

  private writeEnd(stream: Stream, end: HeaderBlock | "data"): void {
    if (end === "data") this.deps.output.frameHeader(0, FrameType.Data, Flag.EndStream, stream.id);
    else this.writeBlock(stream.id, end, true);
    stream.localClosed = true;
    this.deps.localEnd(stream);
  }

  /** A header block, cut into HEADERS and CONTINUATION frames where it exceeds one (section 4.3). */
  private writeBlock(streamId: number, named: HeaderBlock, endStream: boolean): void {
    const { output } = this.deps;
    const block = this.blockOf(named);
    const endFlag = endStream ? Flag.EndStream : 0;
    if (block.length <= defaultFramePayloadBytesMax) {
      output.frameHeader(block.length, FrameType.Headers, endFlag | Flag.EndHeaders, streamId);
      output.part(block);
      return;
    }
    for (let at = 0; at < block.length; at += defaultFramePayloadBytesMax) {
      const piece = block.subarray(at, at + defaultFramePayloadBytesMax);
      const type = at === 0 ? FrameType.Headers : FrameType.Continuation;
      const last = at + piece.length === block.length ? Flag.EndHeaders : 0;
      output.frameHeader(piece.length, type, (at === 0 ? endFlag : 0) | last, streamId);
      output.part(piece);
    }
  }

  private blockOf(named: HeaderBlock): Buffer {
    if (named === "grpcHead") return this.responseHeaders.head();
    if (named === "grpcOkTrailers") return this.responseHeaders.okTrailers();
    return this.responseHeaders.other(named);
  }
}

function needsWindow(outbox: Outbox): boolean {
  return outbox.head === undefined && outbox.dataBytes > 0;
}
