/**
 * The bytes that a connection is about to send. Everything produced in one turn of the event loop leaves in one
 * write: small pieces are gathered in a buffer, large ones are carried by reference.
 */
import type { Socket } from "node:net";
import { giveBackAnswerPieces } from "../../base/answer-pieces.js";
import { limits } from "../../base/limits.js";
import { giveBackOutputBuffer, smallOutputBufferBytes, takeOutputBuffer } from "./buffer-pool.js";
import { defaultFramePayloadBytesMax, FrameType, frameHeaderBytes } from "./protocol.js";

interface GrowingFrame {
  /** Where its header stands. */
  buffer: Buffer | undefined;
  at: number;
  /** 0: there is none. */
  streamId: number;
  length: number;
}

function putLength(buffer: Buffer, at: number, length: number): void {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
}

export class Output {
  /** Finished pieces, in order; the current buffer's unfinished piece comes after them. */
  private pieces: Uint8Array[] = [];
  private readonly full: Buffer[] = [];
  private buffer: Buffer | undefined;
  private pieceStart = 0;
  private used = 0;
  private bytes = 0;
  private discarded = false;
  /** The last frame, where more may be added to it: DATA that is not flushed. */
  private readonly growing: GrowingFrame = { buffer: undefined, at: 0, streamId: 0, length: 0 };
  /** Lent memory (answer-pieces.ts) that the next flush is the last to need. */
  private lent: Uint8Array[] = [];
  /** A flush is on its way in this turn. */
  flushRequested = false;

  constructor(private readonly socket: Socket) {}

  /** Bytes that wait for `flush`. */
  get queuedBytes(): number {
    return this.bytes;
  }

  /** True while the peer's side of the socket is full: until its "drain" nothing but control frames is made. */
  get congested(): boolean {
    return this.socket.writableNeedDrain && this.socket.writableLength > 0;
  }

  /**
   * Begins a DATA frame that does not end its stream, or makes the last frame longer where that is one of the same
   * stream: many small messages of a turn share a frame, as reading one costs the peer more than its bytes do.
   */
  dataFrame(length: number, streamId: number): void {
    const { growing } = this;
    if (growing.streamId === streamId && growing.length + length <= defaultFramePayloadBytesMax) {
      growing.length += length;
      putLength(growing.buffer!, growing.at, growing.length);
      return;
    }
    this.frameHeader(length, FrameType.Data, 0, streamId);
    growing.buffer = this.buffer;
    growing.at = this.used - frameHeaderBytes;
    growing.streamId = streamId;
    growing.length = length;
  }

  /** Section 4.1. */
  frameHeader(length: number, type: number, flags: number, streamId: number): void {
    this.growing.streamId = 0;
    const buffer = this.room(frameHeaderBytes);
    const at = this.used;
    putLength(buffer, at, length);
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = streamId >>> 24;
    buffer[at + 6] = streamId >>> 16;
    buffer[at + 7] = streamId >>> 8;
    buffer[at + 8] = streamId;
    this.used = at + frameHeaderBytes;
    this.bytes += frameHeaderBytes;
  }

  uint8(value: number): void {
    this.room(1)[this.used++] = value;
    this.bytes += 1;
  }

  uint16(value: number): void {
    const buffer = this.room(2);
    buffer[this.used++] = value >>> 8;
    buffer[this.used++] = value;
    this.bytes += 2;
  }

  uint32(value: number): void {
    const buffer = this.room(4);
    buffer[this.used++] = value >>> 24;
    buffer[this.used++] = value >>> 16;
    buffer[this.used++] = value >>> 8;
    buffer[this.used++] = value;
    this.bytes += 4;
  }

  /** The caller must not change `part` any more: a large one is not copied. */
  part(part: Uint8Array): void {
    const { length } = part;
    if (length >= limits.outputReferenceBytesMin) {
      this.endPiece();
      this.pieces.push(part);
    } else if (length <= 16) {
      const buffer = this.room(length);
      for (let i = 0; i < length; i++) buffer[this.used + i] = part[i]!;
      this.used += length;
    } else this.copy(part);
    this.bytes += length;
  }

  /** Says that `piece`, of which a part was the last to be sent, is free when that has left. */
  giveBackWhenSent(piece: Uint8Array): void {
    this.lent.push(piece);
  }

  /** Gives everything to the socket in one write. */
  flush(): void {
    if (this.bytes === 0 || this.discarded) return;
    const { socket, pieces } = this;
    this.endPiece();
    this.pieces = [];
    this.bytes = 0;
    this.growing.streamId = 0;
    const last = pieces.length - 1;
    if (last > 0) socket.cork();
    for (let at = 0; at < last; at++) socket.write(pieces[at]!);
    socket.write(pieces[last]!, this.whenSent());
    if (last > 0) socket.uncork();
    // What the kernel took at once is free again; what still waits in the socket must not be touched.
    this.giveBack(socket.writableLength === 0);
  }

  /** Lets go of everything; nothing is sent any more. */
  discard(): void {
    this.discarded = true;
    this.growing.streamId = 0;
    this.pieces = [];
    this.lent = [];
    this.bytes = 0;
    this.giveBack(true);
  }

  private whenSent(): (() => void) | undefined {
    const { lent } = this;
    if (lent.length === 0) return undefined;
    this.lent = [];
    return () => giveBackAnswerPieces(lent);
  }

  /** Fills buffers to their end, so that how much they hold does not depend on the sizes of parts. */
  private copy(part: Uint8Array): void {
    let from = 0;
    while (from < part.length) {
      const buffer = this.room(1);
      const taken = Math.min(part.length - from, buffer.length - this.used);
      buffer.set(taken === part.length ? part : part.subarray(from, from + taken), this.used);
      this.used += taken;
      from += taken;
    }
  }

  private giveBack(reusable: boolean): void {
    for (const buffer of this.full) giveBackOutputBuffer(buffer, reusable);
    if (this.buffer !== undefined) giveBackOutputBuffer(this.buffer, reusable);
    this.full.length = 0;
    this.buffer = undefined;
  }

  private room(bytes: number): Buffer {
    if (this.buffer !== undefined && this.used + bytes <= this.buffer.length) return this.buffer;
    if (this.buffer !== undefined) {
      this.endPiece();
      this.full.push(this.buffer);
    }
    // After the end, what is still written goes nowhere.
    this.buffer = this.discarded ? Buffer.allocUnsafe(smallOutputBufferBytes) : takeOutputBuffer();
    this.used = 0;
    this.pieceStart = 0;
    return this.buffer;
  }

  private endPiece(): void {
    if (this.buffer === undefined || this.used === this.pieceStart) return;
    this.pieces.push(this.buffer.subarray(this.pieceStart, this.used));
    this.pieceStart = this.used;
  }
}
