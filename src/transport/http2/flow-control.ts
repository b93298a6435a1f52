/** Windows of flow control (RFC 9113, sections 5.2 and 6.9). */
import { windowBytesMax } from "./protocol.js";

/** What the peer still lets us send. May be negative after the peer shrank its initial window (section 6.9.2). */
export class SendWindow {
  constructor(public bytes: number) {}

  /** False when the sum exceeds 2^31−1: FLOW_CONTROL_ERROR. */
  grow(increment: number): boolean {
    this.bytes += increment;
    return this.bytes <= windowBytesMax;
  }
}

/**
 * What we still let the peer send. Bytes that were dealt with are given back in one WINDOW_UPDATE once half of
 * the window is due, so that an update costs little and comes before the peer has to wait.
 *
 * Example, a window of 100: received 60 → 40 left; consumed 30 → 30 due, nothing sent; consumed 30 more → 60
 * due, an update of 60, 100 left.
 */
export class ReceiveWindow {
  private left: number;
  private due = 0;

  constructor(private readonly fullBytes: number) {
    this.left = fullBytes;
  }

  /** False when the peer sent more than it may: FLOW_CONTROL_ERROR. */
  receive(bytes: number): boolean {
    this.left -= bytes;
    return this.left >= 0;
  }

  /** Notes bytes as dealt with. Returns the increment to announce now, or 0. */
  consume(bytes: number): number {
    this.due += bytes;
    if (this.due * 2 < this.fullBytes) return 0;
    const increment = this.due;
    this.due = 0;
    this.left += increment;
    return increment;
  }
}
