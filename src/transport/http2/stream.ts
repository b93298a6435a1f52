/** One stream of a connection (RFC 9113, section 5.1): its state, its windows, and what waits to be sent on it. */

import { FlowWindows } from "./flow-control.js";
import type { HeaderField } from "./hpack-table.js";
import { ErrorCode, StreamError } from "./protocol.js";

/** What the layer above does with what arrives. Nothing is called after `closed`. */
export interface StreamHandler {
  /** A client's first block is the response head; later blocks are trailers. */
  headers(fields: readonly HeaderField[], endStream: boolean): void;
  /** `bytes[start, end)`, possibly part of a larger chunk that is never written to again. May be empty. */
  data(bytes: Buffer, start: number, end: number, endStream: boolean): void;
  /** There is room again after `Sender` told that the stream has too much waiting. */
  drain(): void;
  /** The stream is over before both sides ended it: reset by the peer (its code), or the connection broke. */
  closed(code: ErrorCode | undefined): void;
}

/**
 * Header blocks that depend on the order in which they are sent are named here and made when they are written:
 * see response-headers.ts.
 */
export type HeaderBlock = Buffer | "grpcHead" | "grpcOkTrailers";

/** What waits on a stream, in this order: head, data, end. */
export interface Outbox {
  head: HeaderBlock | undefined;
  readonly parts: Uint8Array[];
  /** Index of the first part not yet wholly sent, and how much of it was. */
  next: number;
  offset: number;
  dataBytes: number;
  /** END_STREAM on trailers (a block), or on the last DATA frame. */
  end: HeaderBlock | "data" | undefined;
  /** In the sender's round. */
  scheduled: boolean;
  /** The writer was told to wait. */
  writerWaits: boolean;
}

export class Stream extends FlowWindows {
  /** We ended our side: nothing more is sent but RST_STREAM and WINDOW_UPDATE. */
  localClosed = false;
  /** The peer ended its side. */
  remoteClosed = false;
  /** A complete head has arrived: the next block is trailers. */
  headReceived = false;
  /** Made when something has to wait. */
  outbox: Outbox | undefined;
  handler: StreamHandler | undefined;
  /** Bytes received and not yet dealt with by the handler. */
  bufferedBytes = 0;
  /** The part of them that the peer was already allowed to send again. */
  grantedEarlyBytes = 0;
  /** What `content-length` promised and is still missing; undefined without one (section 8.1.1). */
  missingBytes: number | undefined;

  constructor(
    readonly id: number,
    sendWindowBytes: number,
    receiveWindowBytes: number,
  ) {
    super(sendWindowBytes, receiveWindowBytes);
  }

  /** The outbox, made on first use. */
  openOutbox(): Outbox {
    this.outbox ??= {
      head: undefined,
      parts: [],
      next: 0,
      offset: 0,
      dataBytes: 0,
      end: undefined,
      scheduled: false,
      writerWaits: false,
    };
    return this.outbox;
  }

  /** Bytes of data that wait to be sent. */
  get waitingBytes(): number {
    return this.outbox?.dataBytes ?? 0;
  }

  /** True when something waits: what comes next must wait behind it. */
  get hasWaiting(): boolean {
    const { outbox } = this;
    return (
      outbox !== undefined && (outbox.dataBytes > 0 || outbox.head !== undefined || outbox.end !== undefined)
    );
  }

  /** Section 8.1.1: the data must be as long as content-length says. */
  countBody(bytes: number, endStream: boolean): void {
    if (this.missingBytes === undefined) return;
    this.missingBytes -= bytes;
    if (this.missingBytes < 0 || (endStream && this.missingBytes !== 0)) {
      throw new StreamError(this.id, ErrorCode.ProtocolError, "data unlike content-length");
    }
  }
}
