/**
 * Length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): a flag byte (1: compressed), four
 * bytes of length, the message. Messages and DATA frames have nothing to do with each other's boundaries.
 */
import { limits } from "../../base/limits.js";
import { RpcStatus, StatusCode } from "../rpc.js";

export const messagePrefixBytes = 5;

/** Told of each message. `bytes` is never written to again. */
export type MessageListener = (bytes: Uint8Array, compressed: boolean) => void;

const prefix = Buffer.alloc(messagePrefixBytes);

/** The prefix of a message. One piece of memory for all: it must be copied before the next call. */
export function messagePrefix(length: number, compressed: boolean): Buffer {
  prefix[0] = compressed ? 1 : 0;
  prefix[1] = length >>> 24;
  prefix[2] = length >>> 16;
  prefix[3] = length >>> 8;
  prefix[4] = length;
  return prefix;
}

/**
 * A message as memory that its receiver may keep for as long as it likes: a part of the received chunk where it
 * is most of it, else a copy, so that a key of 20 bytes does not keep 64 KiB of other people's bytes alive.
 */
export function keepableSlice(bytes: Buffer, start: number, end: number): Uint8Array {
  const held = bytes.buffer.byteLength;
  if (held <= limits.sharedChunkBytes || (end - start) * 2 >= held) return bytes.subarray(start, end);
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/** True where `bytes[start, end)`, a frame's payload, is one message that is not compressed, and nothing else. */
export function isWholeMessage(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start >= messagePrefixBytes &&
    bytes[start] === 0 &&
    bytes.readUInt32BE(start + 1) === end - start - messagePrefixBytes
  );
}

/** Throws where a client announces more than is allowed, in grpc-go's words. */
export function checkMessageSize(length: number, receiveBytesMax: number): void {
  if (length > receiveBytesMax) {
    throw new RpcStatus(
      StatusCode.ResourceExhausted,
      `grpc: received message larger than max (${length} vs. ${receiveBytesMax})`,
    );
  }
}

/** Cuts the data of one stream into messages. */
export class MessageReader {
  private readonly prefix = Buffer.alloc(messagePrefixBytes);
  private prefixFilled = 0;
  private message: Buffer | undefined;
  private messageFilled = 0;

  constructor(
    private readonly receiveBytesMax: number,
    private readonly listener: MessageListener,
  ) {}

  /** True between two messages. */
  get atBoundary(): boolean {
    return this.prefixFilled === 0;
  }

  /** Bytes received of the message that is not complete. */
  get begunBytes(): number {
    return this.prefixFilled + (this.message === undefined ? 0 : this.messageFilled);
  }

  /** Throws RpcStatus RESOURCE_EXHAUSTED for a message over the bound, before any memory is taken for it. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.prefixFilled === 0 && end - at >= messagePrefixBytes) {
        const length = bytes.readUInt32BE(at + 1);
        if (end - at - messagePrefixBytes >= length) {
          checkMessageSize(length, this.receiveBytesMax);
          const from = at + messagePrefixBytes;
          at = from + length;
          this.listener(keepableSlice(bytes, from, at), bytes[from - messagePrefixBytes] !== 0);
          continue;
        }
      }
      at += this.message === undefined ? this.pushPrefix(bytes, at, end) : this.pushMessage(bytes, at, end);
    }
  }

  private pushPrefix(bytes: Buffer, at: number, end: number): number {
    const taken = Math.min(messagePrefixBytes - this.prefixFilled, end - at);
    bytes.copy(this.prefix, this.prefixFilled, at, at + taken);
    this.prefixFilled += taken;
    if (this.prefixFilled < messagePrefixBytes) return taken;
    const length = this.prefix.readUInt32BE(1);
    checkMessageSize(length, this.receiveBytesMax);
    this.message = Buffer.allocUnsafeSlow(length);
    this.messageFilled = 0;
    if (length === 0) this.finishMessage(this.message);
    return taken;
  }

  private pushMessage(bytes: Buffer, at: number, end: number): number {
    const message = this.message!;
    const taken = Math.min(message.length - this.messageFilled, end - at);
    bytes.copy(message, this.messageFilled, at, at + taken);
    this.messageFilled += taken;
    if (this.messageFilled === message.length) this.finishMessage(message);
    return taken;
  }

  private finishMessage(message: Buffer): void {
    this.prefixFilled = 0;
    this.message = undefined;
    this.listener(message, this.prefix[0] !== 0);
  }
}
