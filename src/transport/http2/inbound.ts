/**
 * Dispatches the frames of the peer (RFC 9113, section 6), with the checks that each needs. A breach of one
 * stream resets that stream, any other throws ConnectionError.
 */
import { limits } from "../../base/limits.js";
import type { Connection } from "./connection.js";
import { FrameReader, type FrameSink } from "./frame-reader.js";
import { HeaderBlocks } from "./header-blocks.js";
import type { HeaderField } from "./hpack-table.js";
import { latin1 } from "./latin1.js";
import {
  ConnectionError,
  clientPreface,
  ErrorCode,
  Flag,
  FrameType,
  SettingId,
  StreamError,
} from "./protocol.js";
import { parseRequestHead, type RequestHead, trailersFault } from "./request-head.js";
import { readSettings } from "./settings.js";
import type { Stream } from "./stream.js";

/** A decoded block: as a request's head where it can be one (or what is wrong with it), and its fields. */
interface ReceivedHeaders {
  readonly fields: readonly HeaderField[];
  readonly head: RequestHead | string | undefined;
}

export class Inbound implements FrameSink {
  /** Highest stream that the peer opened. */
  lastPeerStreamId = 0;
  private lastLocalStreamId = -1;
  private prefaceSeen: number;
  private settingsSeen = false;
  private readonly openedMs = performance.now();
  private readonly reader = new FrameReader(this);
  private readonly blocks: HeaderBlocks<ReceivedHeaders>;

  constructor(private readonly connection: Connection) {
    const server = connection.options.role === "server";
    this.prefaceSeen = server ? 0 : clientPreface.length;
    this.blocks = new HeaderBlocks((fields) => ({
      fields,
      head: server && fields[0]?.name.charCodeAt(0) === 0x3a ? parseRequestHead(fields) : undefined,
    }));
  }

  push(chunk: Buffer): void {
    if (this.prefaceSeen === clientPreface.length) this.reader.push(chunk);
    else this.pushPreface(chunk);
  }

  stop(): void {
    this.reader.stop();
  }

  nextLocalStreamId(): number {
    this.lastLocalStreamId += 2;
    return this.lastLocalStreamId;
  }

  /** Since when something is missing that the peer must complete soon; undefined when nothing is. */
  get incompleteSinceMs(): number | undefined {
    return this.settingsSeen ? this.blocks.openSinceMs : this.openedMs;
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.settingsSeen && type !== FrameType.Settings) {
      throw new ConnectionError(ErrorCode.ProtocolError, "no SETTINGS at the beginning");
    }
    if (this.blocks.openStreamId !== undefined && type !== FrameType.Continuation) {
      throw new ConnectionError(ErrorCode.ProtocolError, "a frame inside a header block");
    }
    try {
      this.dispatch(type, flags, streamId, bytes, start, end);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.streamError(error);
    }
  }

  private dispatch(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.Data:
        this.data(flags, streamId, bytes, start, end);
        return;
      case FrameType.Headers:
        this.headers(flags, streamId, bytes, start, end);
        return;
      case FrameType.Priority:
        this.priority(streamId, bytes, start, end);
        return;
      case FrameType.ResetStream:
        this.resetStream(streamId, bytes, start, end);
        return;
      case FrameType.Settings:
        this.settings(flags, streamId, bytes, start, end);
        return;
      case FrameType.PushPromise:
        throw new ConnectionError(ErrorCode.ProtocolError, "PUSH_PROMISE");
      case FrameType.Ping:
        this.ping(flags, streamId, bytes, start, end);
        return;
      case FrameType.GoAway:
        this.goAway(streamId, bytes, start, end);
        return;
      case FrameType.WindowUpdate:
        this.windowUpdate(streamId, bytes, start, end);
        return;
      case FrameType.Continuation:
        this.continuation(flags, streamId, bytes, start, end);
        return;
      default:
        // Section 4.1: frames of unknown types are ignored.
        this.connection.floods.countIdleFrame();
    }
  }

  private pushPreface(chunk: Buffer): void {
    const taken = Math.min(clientPreface.length - this.prefaceSeen, chunk.length);
    if (clientPreface.compare(chunk, 0, taken, this.prefaceSeen, this.prefaceSeen + taken) !== 0) {
      throw new ConnectionError(ErrorCode.ProtocolError, "a bad preface");
    }
    this.prefaceSeen += taken;
    if (taken < chunk.length) this.reader.push(chunk.subarray(taken));
  }

  /** Section 6.1. */
  private data(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    if (streamId === 0) throw new ConnectionError(ErrorCode.ProtocolError, "DATA on stream 0");
    const stream = connection.streams.get(streamId);
    connection.receiving.receive(stream, end - start);
    if (stream === undefined) {
      this.checkNotIdle(streamId, "DATA");
      if (connection.wasResetByUs(streamId)) {
        connection.floods.countIdleFrame();
        return;
      }
      throw new StreamError(streamId, ErrorCode.StreamClosed, "DATA on a closed stream");
    }
    if (stream.remoteClosed) throw new StreamError(streamId, ErrorCode.StreamClosed, "DATA after END_STREAM");
    if (!stream.receiveWindow.receive(end - start)) {
      throw new StreamError(streamId, ErrorCode.FlowControlError, "more data than the stream's window");
    }
    if (!stream.headReceived) throw new StreamError(streamId, ErrorCode.ProtocolError, "DATA before HEADERS");
    let from = start;
    let to = end;
    if ((flags & Flag.Padded) !== 0) {
      to = unpaddedEnd(bytes, start, end);
      from = start + 1;
      connection.receiving.consume(stream, end - start - (to - from));
    }
    const endStream = (flags & Flag.EndStream) !== 0;
    if (from === to && !endStream) connection.floods.countIdleFrame();
    this.countBody(stream, to - from, endStream);
    const over = endStream && stream.localClosed;
    if (endStream) stream.remoteClosed = true;
    stream.handler!.data(bytes, from, to, endStream);
    if (over) connection.removeStream(stream);
  }

  /** Section 8.1.1: the data must be as long as content-length says. */
  private countBody(stream: Stream, bytes: number, endStream: boolean): void {
    if (stream.missingBytes === undefined) return;
    stream.missingBytes -= bytes;
    if (stream.missingBytes < 0 || (endStream && stream.missingBytes !== 0)) {
      throw new StreamError(stream.id, ErrorCode.ProtocolError, "data unlike content-length");
    }
  }

  /** Section 6.2. */
  private headers(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw new ConnectionError(ErrorCode.ProtocolError, "HEADERS on stream 0");
    let from = start;
    let to = end;
    let fault: string | undefined;
    if ((flags & Flag.Padded) !== 0) {
      to = unpaddedEnd(bytes, start, end);
      from = start + 1;
    }
    if ((flags & Flag.Priority) !== 0) {
      if (from + 5 > to) throw new ConnectionError(ErrorCode.FrameSizeError, "HEADERS without its priority");
      if ((bytes.readUInt32BE(from) & 0x7fff_ffff) === streamId) fault = "a stream that depends on itself";
      from += 5;
    }
    const endStream = (flags & Flag.EndStream) !== 0;
    if ((flags & Flag.EndHeaders) === 0) {
      this.blocks.begin(streamId, endStream, fault, bytes.subarray(from, to));
      return;
    }
    this.block(streamId, endStream, fault, this.blocks.whole(bytes, from, to));
  }

  /** Section 6.10. */
  private continuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.blocks.openStreamId === undefined || this.blocks.openStreamId !== streamId) {
      throw new ConnectionError(ErrorCode.ProtocolError, "CONTINUATION without HEADERS");
    }
    const result = this.blocks.continue(bytes.subarray(start, end), (flags & Flag.EndHeaders) !== 0);
    if (result !== undefined) this.block(result.streamId, result.endStream, result.fault, result.parsed);
  }

  /** A whole header block; `received` undefined when its list is too large. */
  private block(
    streamId: number,
    endStream: boolean,
    fault: string | undefined,
    received: ReceivedHeaders | undefined,
  ): void {
    const stream = this.connection.streams.get(streamId);
    if (stream !== undefined) {
      if (received === undefined) throw tooLarge(streamId);
      this.blockOfStream(stream, endStream, fault, received);
      return;
    }
    if (
      this.connection.options.role === "client" ||
      streamId % 2 === 0 ||
      streamId <= this.lastPeerStreamId
    ) {
      this.checkNotIdle(streamId, "HEADERS");
      if (this.connection.wasResetByUs(streamId)) {
        this.connection.floods.countIdleFrame();
        return;
      }
      throw new ConnectionError(ErrorCode.StreamClosed, `HEADERS on stream ${streamId}, which is over`);
    }
    this.lastPeerStreamId = streamId;
    if (fault !== undefined) throw new StreamError(streamId, ErrorCode.ProtocolError, fault);
    if (received === undefined) throw tooLarge(streamId);
    this.request(streamId, endStream, received.head ?? "no :method, :scheme or :path");
  }

  private request(streamId: number, endStream: boolean, head: RequestHead | string): void {
    const { connection } = this;
    if (typeof head === "string") throw new StreamError(streamId, ErrorCode.ProtocolError, head);
    if (
      connection.refusesStreams ||
      connection.streams.size >= connection.options.concurrentStreamsMax ||
      connection.sendWaitingBytes > limits.connectionSendBytesMax
    ) {
      throw new StreamError(streamId, ErrorCode.RefusedStream, "no more streams");
    }
    if (endStream && head.contentLength !== undefined && head.contentLength !== 0) {
      throw new StreamError(streamId, ErrorCode.ProtocolError, "data unlike content-length");
    }
    const stream = connection.addStream(streamId);
    stream.headReceived = true;
    stream.missingBytes = head.contentLength;
    stream.remoteClosed = endStream;
    const handler = connection.owner.request(stream, head, endStream);
    // The owner may have answered at once.
    if (!stream.localClosed) stream.handler = handler;
  }

  private blockOfStream(
    stream: Stream,
    endStream: boolean,
    fault: string | undefined,
    received: ReceivedHeaders,
  ): void {
    if (stream.remoteClosed)
      throw new StreamError(stream.id, ErrorCode.StreamClosed, "HEADERS after END_STREAM");
    if (fault !== undefined) throw new StreamError(stream.id, ErrorCode.ProtocolError, fault);
    const trailers = stream.headReceived;
    const broken = trailers
      ? endStream
        ? trailersFault(received.fields)
        : "trailers without END_STREAM"
      : undefined;
    if (broken !== undefined) throw new StreamError(stream.id, ErrorCode.ProtocolError, broken);
    if (trailers) this.countBody(stream, 0, endStream);
    // An informational response (section 8.1) is not the head yet.
    if (!isInformational(received.fields)) stream.headReceived = true;
    const over = endStream && stream.localClosed;
    if (endStream) stream.remoteClosed = true;
    stream.handler?.headers(received.fields, endStream);
    if (over) this.connection.removeStream(stream);
  }

  /** Section 6.3; priorities themselves are deprecated (section 5.3.2) and have no effect. */
  private priority(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.connection.floods.countIdleFrame();
    if (streamId === 0) throw new ConnectionError(ErrorCode.ProtocolError, "PRIORITY on stream 0");
    if (end - start !== 5)
      throw new StreamError(streamId, ErrorCode.FrameSizeError, "PRIORITY not of 5 bytes");
    if ((bytes.readUInt32BE(start) & 0x7fff_ffff) === streamId) {
      throw new StreamError(streamId, ErrorCode.ProtocolError, "a stream that depends on itself");
    }
  }

  /** Section 6.4. */
  private resetStream(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw new ConnectionError(ErrorCode.ProtocolError, "RST_STREAM on stream 0");
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FrameSizeError, "RST_STREAM not of 4 bytes");
    const { connection } = this;
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      this.checkNotIdle(streamId, "RST_STREAM");
      connection.floods.countIdleFrame();
      return;
    }
    const { handler } = stream;
    connection.removeStream(stream);
    handler?.closed(bytes.readUInt32BE(start) as ErrorCode);
    if (connection.options.role === "server") connection.floods.countReset();
  }

  /** Section 6.5. */
  private settings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw new ConnectionError(ErrorCode.ProtocolError, "SETTINGS on a stream");
    if ((flags & Flag.Ack) !== 0) {
      if (end !== start) throw new ConnectionError(ErrorCode.FrameSizeError, "SETTINGS ACK with a payload");
      if (!this.settingsSeen)
        throw new ConnectionError(ErrorCode.ProtocolError, "no SETTINGS at the beginning");
      this.connection.floods.countIdleFrame();
      return;
    }
    if ((end - start) % 6 !== 0)
      throw new ConnectionError(ErrorCode.FrameSizeError, "SETTINGS not of 6n bytes");
    this.connection.floods.countSettings();
    this.settingsSeen = true;
    for (const [id, value] of readSettings(bytes, start, end)) {
      if (id === SettingId.InitialWindowSize) this.resizeWindows(value);
      else if (id === SettingId.HeaderTableSize) this.connection.sender.responseHeaders.setTableBytes(value);
      else if (id === SettingId.MaxConcurrentStreams) this.connection.sender.peerStreamsMax = value;
    }
    this.connection.writeSettings([], Flag.Ack);
  }

  /** Section 6.9.2: the change applies to the windows of all streams. */
  private resizeWindows(initialBytes: number): void {
    const { sender, streams } = this.connection;
    const change = initialBytes - sender.initialWindowBytes;
    sender.initialWindowBytes = initialBytes;
    for (const stream of streams.values()) {
      if (!stream.sendWindow.grow(change)) {
        throw new ConnectionError(ErrorCode.FlowControlError, "a stream's window over 2^31-1");
      }
      if (change > 0) sender.windowGrew(stream);
    }
  }

  /** Section 6.7. */
  private ping(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw new ConnectionError(ErrorCode.ProtocolError, "PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.FrameSizeError, "PING not of 8 bytes");
    const { connection } = this;
    connection.floods.countIdleFrame();
    if ((flags & Flag.Ack) !== 0) {
      connection.pingAnswered(bytes.readUInt32BE(start));
      return;
    }
    connection.keepalive.peerPing(connection.streams.size, performance.now());
    connection.writePing(bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4), Flag.Ack);
  }

  /** Section 6.8. */
  private goAway(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw new ConnectionError(ErrorCode.ProtocolError, "GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.FrameSizeError, "GOAWAY under 8 bytes");
    this.connection.floods.countIdleFrame();
    const lastStreamId = bytes.readUInt32BE(start) & 0x7fff_ffff;
    this.connection.owner.goAway(lastStreamId, bytes.readUInt32BE(start + 4), latin1(bytes, start + 8, end));
  }

  /** Section 6.9. */
  private windowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4)
      throw new ConnectionError(ErrorCode.FrameSizeError, "WINDOW_UPDATE not of 4 bytes");
    const increment = bytes.readUInt32BE(start) & 0x7fff_ffff;
    const { sender, streams, floods } = this.connection;
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
      if (!sender.connectionWindow.grow(increment)) {
        throw new ConnectionError(ErrorCode.FlowControlError, "the connection's window over 2^31-1");
      }
      if (sender.waitingBytes > 0) this.connection.requestFlush();
      return;
    }
    const stream = streams.get(streamId);
    if (stream === undefined) {
      this.checkNotIdle(streamId, "WINDOW_UPDATE");
      floods.countIdleFrame();
      return;
    }
    if (increment === 0) throw new StreamError(streamId, ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
    if (!stream.sendWindow.grow(increment)) {
      throw new StreamError(streamId, ErrorCode.FlowControlError, "the stream's window over 2^31-1");
    }
    sender.windowGrew(stream);
  }

  /** Section 5.1: on a stream that nobody opened, only HEADERS and PRIORITY may come. */
  private checkNotIdle(streamId: number, what: string): void {
    const client = this.connection.options.role === "client";
    const local = client ? streamId % 2 === 1 : streamId % 2 === 0;
    const last = local ? this.lastLocalStreamId : this.lastPeerStreamId;
    if (streamId > last)
      throw new ConnectionError(ErrorCode.ProtocolError, `${what} on idle stream ${streamId}`);
  }

  private streamError(error: StreamError): void {
    const { connection } = this;
    const stream = connection.streams.get(error.streamId);
    if (stream !== undefined) {
      const { handler } = stream;
      connection.removeStream(stream);
      handler?.closed(error.code);
    }
    connection.writeReset(error.streamId, error.code);
    connection.floods.countReset();
  }
}

/** Where the payload ends before its padding (sections 6.1 and 6.2). */
function unpaddedEnd(bytes: Buffer, start: number, end: number): number {
  const to = start < end ? end - bytes[start]! : start;
  if (to <= start) throw new ConnectionError(ErrorCode.ProtocolError, "more padding than payload");
  return to;
}

function isInformational(fields: readonly HeaderField[]): boolean {
  const first = fields[0];
  return first?.name === ":status" && first.value.startsWith("1");
}

function tooLarge(streamId: number): StreamError {
  return new StreamError(streamId, ErrorCode.EnhanceYourCalm, "a header list out of bounds");
}
