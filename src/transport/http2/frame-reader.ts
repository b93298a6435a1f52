/**
 * Cuts what a socket delivers into frames (RFC 9113, section 4.1). A frame that lies whole in the received
 * chunk is handed over in place; only one that is split over two chunks is put together in memory of its own.
 */
import { ConnectionError, defaultFramePayloadBytesMax, ErrorCode, frameHeaderBytes } from "./protocol.js";

export interface FrameSink {
  /** `bytes[start, end)` is the payload. It may be a part of a larger chunk, and is never written to again. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

export class FrameReader {
  private readonly header = Buffer.alloc(frameHeaderBytes);
  private headerFilled = 0;
  private payload: Buffer | undefined;
  private payloadFilled = 0;
  private stopped = false;

  constructor(private readonly sink: FrameSink) {}

  /** No more frames are handed over, not even from the chunk at hand. */
  stop(): void {
    this.stopped = true;
    this.payload = undefined;
  }

  /** Throws ConnectionError FRAME_SIZE_ERROR for a frame over 16,384 bytes, and what the sink throws. */
  push(chunk: Buffer): void {
    let at = this.headerFilled > 0 ? this.continueFrame(chunk) : 0;
    const end = chunk.length;
    while (!this.stopped && end - at >= frameHeaderBytes) {
      const length = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!;
      if (length > defaultFramePayloadBytesMax) throw oversize(length);
      const start = at + frameHeaderBytes;
      if (start + length > end) break;
      const streamId =
        ((chunk[at + 5]! & 0x7f) << 24) | (chunk[at + 6]! << 16) | (chunk[at + 7]! << 8) | chunk[at + 8]!;
      this.sink.frame(chunk[at + 3]!, chunk[at + 4]!, streamId, chunk, start, start + length);
      at = start + length;
    }
    if (!this.stopped && at < end) this.keepTail(chunk, at);
  }

  /** Completes the frame of which earlier chunks had the beginning. Returns where the next one starts. */
  private continueFrame(chunk: Buffer): number {
    let at = 0;
    if (this.headerFilled < frameHeaderBytes) {
      at = Math.min(frameHeaderBytes - this.headerFilled, chunk.length);
      chunk.copy(this.header, this.headerFilled, 0, at);
      this.headerFilled += at;
      if (this.headerFilled < frameHeaderBytes) return at;
    }
    const length = this.header.readUIntBE(0, 3);
    if (length > defaultFramePayloadBytesMax) throw oversize(length);
    if (this.payload === undefined) {
      if (chunk.length - at >= length) {
        this.deliver(chunk, at, at + length);
        return at + length;
      }
      this.payload = Buffer.allocUnsafeSlow(length);
      this.payloadFilled = 0;
    }
    const taken = Math.min(length - this.payloadFilled, chunk.length - at);
    chunk.copy(this.payload, this.payloadFilled, at, at + taken);
    this.payloadFilled += taken;
    if (this.payloadFilled === length) this.deliver(this.payload, 0, length);
    return at + taken;
  }

  private deliver(bytes: Buffer, start: number, end: number): void {
    this.headerFilled = 0;
    this.payload = undefined;
    const { header } = this;
    this.sink.frame(header[3]!, header[4]!, header.readUInt32BE(5) & 0x7fff_ffff, bytes, start, end);
  }

  private keepTail(chunk: Buffer, from: number): void {
    const rest = chunk.length - from;
    if (rest <= frameHeaderBytes) {
      chunk.copy(this.header, 0, from);
      this.headerFilled = rest;
      return;
    }
    chunk.copy(this.header, 0, from, from + frameHeaderBytes);
    this.headerFilled = frameHeaderBytes;
    this.payload = Buffer.allocUnsafeSlow(this.header.readUIntBE(0, 3));
    this.payloadFilled = chunk.copy(this.payload, 0, from + frameHeaderBytes);
  }
}

function oversize(length: number): ConnectionError {
  return new ConnectionError(ErrorCode.FrameSizeError, `frame of ${length} bytes`);
}
