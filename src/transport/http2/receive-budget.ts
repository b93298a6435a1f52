/**
 * What a connection takes from its peer (RFC 9113, section 5.2). The connection's window is given back as data
 * arrives, so that one stream whose handler does not read holds up no other. A stream's window is given back as
 * its handler consumes. What is buffered in all streams together is bounded: the stream that exceeds it is reset.
 */
import { limits } from "../../base/limits.js";
import type { FlowWindows } from "./flow-control.js";
import { ConnectionError, ErrorCode, StreamError } from "./protocol.js";
import type { Stream } from "./stream.js";

export class ReceiveBudget {
  private bufferedBytes = 0;

  constructor(
    /** The connection's. */
    private readonly windows: FlowWindows,
    private readonly announce: (streamId: number, increment: number) => void,
  ) {}

  /** Accounts for a DATA frame. */
  receive(stream: Stream | undefined, bytes: number): void {
    if (!this.windows.noteReceived(bytes)) {
      throw new ConnectionError(ErrorCode.FlowControlError, "more data than the connection's window");
    }
    const increment = this.windows.noteConsumed(bytes);
    if (increment > 0) this.announce(0, increment);
    if (stream === undefined) return;
    stream.bufferedBytes += bytes;
    this.bufferedBytes += bytes;
    if (this.bufferedBytes > limits.connectionReceiveBytesMax) {
      throw new StreamError(stream.id, ErrorCode.EnhanceYourCalm, "too much unread data on the connection");
    }
  }

  /** The handler is done with `bytes`: they are no longer held, and the peer may send as many again. */
  consume(stream: Stream, bytes: number): void {
    this.bufferedBytes -= bytes;
    stream.bufferedBytes -= bytes;
    const early = Math.min(bytes, stream.grantedEarlyBytes);
    stream.grantedEarlyBytes -= early;
    this.grow(stream, bytes - early);
  }

  /**
   * Lets the peer send on though `bytes` are still held: they are the beginning of a message that may be larger
   * than the stream's window.
   */
  grantEarly(stream: Stream, bytes: number): void {
    stream.grantedEarlyBytes += bytes;
    this.grow(stream, bytes);
  }

  /** The stream is over, and what it held is let go of. */
  release(stream: Stream): void {
    this.bufferedBytes -= stream.bufferedBytes;
    stream.bufferedBytes = 0;
  }

  private grow(stream: Stream, bytes: number): void {
    if (stream.remoteClosed) return;
    const increment = stream.noteConsumed(bytes);
    if (increment > 0) this.announce(stream.id, increment);
  }
}
