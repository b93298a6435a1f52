/** Which streams of a connection have existed (RFC 9113, section 5.1.1): ids only rise, a client's are odd. */
import { ConnectionError, ErrorCode, streamIdMax } from "./protocol.js";

export class StreamIds {
  /** Highest stream that the peer opened. */
  lastPeer = 0;
  private lastLocal = -1;

  constructor(private readonly role: "server" | "client") {}

  /** The next id of a client. */
  next(): number {
    this.lastLocal += 2;
    return this.lastLocal;
  }

  /** No more streams can be opened on this connection: the client has to make another one. */
  get exhausted(): boolean {
    return this.lastLocal + 2 > streamIdMax;
  }

  /** True for a HEADERS frame of a client that opens a stream. */
  opensStream(streamId: number): boolean {
    return this.role === "server" && streamId % 2 === 1 && streamId > this.lastPeer;
  }

  /** Section 5.1: on a stream that nobody opened, only HEADERS and PRIORITY may come. */
  checkNotIdle(streamId: number, what: string): void {
    const client = this.role === "client";
    const local = client ? streamId % 2 === 1 : streamId % 2 === 0;
    const last = local ? this.lastLocal : this.lastPeer;
    if (streamId > last)
      throw new ConnectionError(ErrorCode.ProtocolError, `${what} on idle stream ${streamId}`);
  }
}
