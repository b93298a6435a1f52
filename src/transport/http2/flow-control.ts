/** Windows of flow control (RFC 9113, sections 5.2 and 6.9). */
import { windowBytesMax } from "./protocol.js";

/**
 * Both windows of a connection, or of a stream, which is one itself (stream.ts): a message of a thousand open streams
 * finds little of its own in the processor's cache, and as objects of their own the windows were two misses more.
 *
 * Bytes that were dealt with are given back in one WINDOW_UPDATE once half of the window is due, so that an update
 * costs little and comes before the peer has to wait.
 *
 * Example, a window of 100 to receive: received 60 → 40 left; consumed 30 → 30 due, nothing sent; consumed 30 more →
 * 60 due, an update of 60, 100 left.
 */
export class FlowWindows {
  private receiveLeftBytes: number;
  private receiveDueBytes = 0;

  constructor(
    /** What the peer still lets us send. May be negative after it shrank its initial window (section 6.9.2). */
    public sendBytes: number,
    private readonly receiveFullBytes: number,
  ) {
    this.receiveLeftBytes = receiveFullBytes;
  }

  /** False when the sum exceeds 2^31−1: FLOW_CONTROL_ERROR. */
  growSend(increment: number): boolean {
    this.sendBytes += increment;
    return this.sendBytes <= windowBytesMax;
  }

  /** False when the peer sent more than it may: FLOW_CONTROL_ERROR. */
  noteReceived(bytes: number): boolean {
    this.receiveLeftBytes -= bytes;
    return this.receiveLeftBytes >= 0;
  }

  /** Notes bytes as dealt with. Returns the increment to announce now, or 0. */
  noteConsumed(bytes: number): number {
    this.receiveDueBytes += bytes;
    if (this.receiveDueBytes * 2 < this.receiveFullBytes) return 0;
    const increment = this.receiveDueBytes;
    this.receiveDueBytes = 0;
    this.receiveLeftBytes += increment;
    return increment;
  }
}
