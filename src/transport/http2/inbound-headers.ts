/** HEADERS and CONTINUATION (RFC 9113, sections 6.2 and 6.10): requests begin, heads and trailers arrive. */
import { limits } from "../../base/limits.js";
import type { Connection } from "./connection.js";
import { HeaderBlocks } from "./header-blocks.js";
import type { HeaderField } from "./hpack-table.js";
import { unpaddedEnd } from "./padding.js";
import { ConnectionError, ErrorCode, Flag, StreamError } from "./protocol.js";
import { parseRequestHead, type RequestHead, trailersFault } from "./request-head.js";
import type { Stream } from "./stream.js";
import type { StreamIds } from "./stream-ids.js";

/** A decoded block: as a request's head where it can be one (or what is wrong with it), and its fields. */
interface ReceivedHeaders {
  readonly fields: readonly HeaderField[];
  readonly head: RequestHead | string | undefined;
}

export class InboundHeaders {
  private readonly blocks: HeaderBlocks<ReceivedHeaders>;

  constructor(
    private readonly connection: Connection,
    private readonly streamIds: StreamIds,
  ) {
    const server = connection.options.role === "server";
    this.blocks = new HeaderBlocks((fields) => ({
      fields,
      head: server && fields[0]?.name.charCodeAt(0) === 0x3a ? parseRequestHead(fields) : undefined,
    }));
  }

  /** The stream whose block is not complete: no other frame may come in between (section 6.10). */
  get openStreamId(): number | undefined {
    return this.blocks.openStreamId;
  }

  /** Since when a block is incomplete (performance.now); undefined when none is. */
  get openSinceMs(): number | undefined {
    return this.blocks.openSinceMs;
  }

  /** Section 6.2. */
  headers(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
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
  continuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
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
    if (!this.streamIds.opensStream(streamId)) {
      this.streamIds.checkNotIdle(streamId, "HEADERS");
      if (this.connection.wasResetByUs(streamId)) {
        this.connection.floods.countIdleFrame();
        return;
      }
      throw new ConnectionError(ErrorCode.StreamClosed, `HEADERS on stream ${streamId}, which is over`);
    }
    this.streamIds.lastPeer = streamId;
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
    if (trailers) stream.countBody(0, endStream);
    // An informational response (section 8.1) is not the head yet.
    if (!isInformational(received.fields)) stream.headReceived = true;
    const over = endStream && stream.localClosed;
    if (endStream) stream.remoteClosed = true;
    stream.handler?.headers(received.fields, endStream);
    if (over) this.connection.removeStream(stream);
  }
}

function isInformational(fields: readonly HeaderField[]): boolean {
  const first = fields[0];
  return first?.name === ":status" && first.value.startsWith("1");
}

function tooLarge(streamId: number): StreamError {
  return new StreamError(streamId, ErrorCode.EnhanceYourCalm, "a header list out of bounds");
}
