/**
 * Dispatches the frames of the peer (RFC 9113, section 6), with the checks that each needs. A breach of one
 * stream resets that stream, any other throws ConnectionError.
 */

import type { Connection } from "./connection.js";
import { FrameReader, type FrameSink } from "./frame-reader.js";
import { InboundHeaders } from "./inbound-headers.js";

import { latin1 } from "./latin1.js";
import { unpaddedEnd } from "./padding.js";
import {
  ConnectionError,
  clientPreface,
  ErrorCode,
  Flag,
  FrameType,
  SettingId,
  StreamError,
} from "./protocol.js";
import { readSettings } from "./settings.js";
import { StreamIds } from "./stream-ids.js";

export class Inbound implements FrameSink {
  readonly streamIds: StreamIds;
  private prefaceSeen: number;
  private settingsSeen = false;
  private readonly openedMs = performance.now();
  private readonly reader = new FrameReader(this);
  private readonly headers: InboundHeaders;

  constructor(private readonly connection: Connection) {
    const { role } = connection.options;
    this.prefaceSeen = role === "server" ? 0 : clientPreface.length;
    this.streamIds = new StreamIds(role);
    this.headers = new InboundHeaders(connection, this.streamIds);
  }

  push(chunk: Buffer): void {
    if (this.prefaceSeen === clientPreface.length) this.reader.push(chunk);
    else this.pushPreface(chunk);
  }

  stop(): void {
    this.reader.stop();
  }

  /** Since when something is missing that the peer must complete soon; undefined when nothing is. */
  get incompleteSinceMs(): number | undefined {
    return this.settingsSeen ? this.headers.openSinceMs : this.openedMs;
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.settingsSeen && type !== FrameType.Settings) {
      throw new ConnectionError(ErrorCode.ProtocolError, "no SETTINGS at the beginning");
    }
    if (this.headers.openStreamId !== undefined && type !== FrameType.Continuation) {
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
        this.headers.headers(flags, streamId, bytes, start, end);
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
        this.headers.continuation(flags, streamId, bytes, start, end);
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
      this.streamIds.checkNotIdle(streamId, "DATA");
      if (connection.wasResetByUs(streamId)) {
        connection.floods.countIdleFrame();
        return;
      }
      throw new StreamError(streamId, ErrorCode.StreamClosed, "DATA on a closed stream");
    }
    if (stream.remoteClosed) throw new StreamError(streamId, ErrorCode.StreamClosed, "DATA after END_STREAM");
    if (!stream.noteReceived(end - start)) {
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
    stream.countBody(to - from, endStream);
    const over = endStream && stream.localClosed;
    if (endStream) stream.remoteClosed = true;
    // A call that was refused has no handler; its refusal may still wait to be sent.
    if (stream.handler === undefined) connection.receiving.consume(stream, to - from);
    else stream.handler.data(bytes, from, to, endStream);
    if (over) connection.removeStream(stream);
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
      this.streamIds.checkNotIdle(streamId, "RST_STREAM");
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
    for (const stream of streams.list()) {
      if (!stream.growSend(change)) {
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
    connection.answerPing(bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4));
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
    const { sender, streams, floods, windows } = this.connection;
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
      if (!windows.growSend(increment)) {
        throw new ConnectionError(ErrorCode.FlowControlError, "the connection's window over 2^31-1");
      }
      if (sender.waitingBytes > 0) this.connection.requestFlush();
      return;
    }
    const stream = streams.get(streamId);
    if (stream === undefined) {
      this.streamIds.checkNotIdle(streamId, "WINDOW_UPDATE");
      floods.countIdleFrame();
      return;
    }
    if (increment === 0) throw new StreamError(streamId, ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
    if (!stream.growSend(increment)) {
      throw new StreamError(streamId, ErrorCode.FlowControlError, "the stream's window over 2^31-1");
    }
    sender.windowGrew(stream);
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
