/** One call of a client: what is sent, and what comes back until its status. */
import { partsBytes } from "../../base/bytes.js";
import { RpcStatus, StatusCode } from "../rpc.js";
import type { Connection } from "./connection.js";
import { MessageReader, messagePrefix, messagePrefixBytes } from "./grpc-framing.js";
import { percentDecode } from "./grpc-status.js";
import type { HeaderField } from "./hpack-table.js";
import { ErrorCode } from "./protocol.js";
import type { Stream, StreamHandler } from "./stream.js";

/** What the owner of a call is told. Nothing comes after `onEnd`. */
export interface CallEvents {
  /** `bytes` are the receiver's to keep. */
  onMessage(bytes: Uint8Array): void;
  /** There is room again after `write` was false. */
  onDrain(): void;
  /** The call is over; `StatusCode.Ok` when it went well. */
  onEnd(status: RpcStatus): void;
}

export class ClientCall implements StreamHandler {
  private over = false;
  private stream: Stream | undefined;
  private head: readonly HeaderField[] = [];
  private readonly reader: MessageReader;

  constructor(
    options: { readonly receiveBytesMax: number },
    private readonly deps: { readonly connection: Connection; readonly events: CallEvents },
  ) {
    this.reader = new MessageReader(options.receiveBytesMax, (bytes, compressed) => {
      if (compressed)
        throw new RpcStatus(StatusCode.Internal, "a compressed message, which was not asked for");
      if (!this.over) deps.events.onMessage(bytes);
    });
  }

  start(head: Buffer): void {
    const { connection } = this.deps;
    this.stream = connection.openStream(this);
    connection.sender.head(this.stream, head);
  }

  /** False when too much waits: `onDrain` tells when there is room. After the end it does nothing. */
  write(message: Uint8Array | readonly Uint8Array[]): boolean {
    if (this.over || this.stream === undefined || this.stream.localClosed) return false;
    const bytes = partsBytes(message);
    const prefix = messagePrefix(bytes, false);
    return this.deps.connection.sender.data(this.stream, prefix, message, messagePrefixBytes + bytes);
  }

  /** No more messages: the server sees the end of its requests. */
  end(): void {
    if (this.over || this.stream === undefined || this.stream.localClosed) return;
    this.deps.connection.sender.end(this.stream, "data");
  }

  /** Ends the call now; the server is told CANCEL. */
  cancel(status: RpcStatus = new RpcStatus(StatusCode.Canceled, "context canceled")): void {
    this.finish(status);
  }

  headers(fields: readonly HeaderField[], endStream: boolean): void {
    const status = Number(fieldValue(fields, ":status") ?? 0);
    if (status >= 100 && status < 200) return;
    if (this.head.length === 0) this.head = fields;
    if (endStream) this.finish(statusOf(fields, this.head));
    else if (status !== 200) this.finish(statusOf([], fields));
  }

  data(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.over) return;
    try {
      this.reader.push(bytes, start, end);
    } catch (error) {
      if (!(error instanceof RpcStatus)) throw error;
      this.finish(error);
      return;
    }
    if (endStream)
      this.finish(new RpcStatus(StatusCode.Internal, "server closed the stream without sending trailers"));
    else if (this.stream !== undefined) this.deps.connection.receiving.consume(this.stream, end - start);
  }

  drain(): void {
    if (!this.over) this.deps.events.onDrain();
  }

  closed(code: ErrorCode | undefined): void {
    this.finish(resetStatus(code));
  }

  private finish(status: RpcStatus): void {
    if (this.over) return;
    this.over = true;
    const { stream } = this;
    // A stream that both sides ended is removed by its connection; any other is of no more use.
    if (stream !== undefined && !(stream.localClosed && stream.remoteClosed)) {
      this.deps.connection.resetStream(stream, ErrorCode.Cancel);
    }
    this.deps.events.onEnd(status);
  }
}

function fieldValue(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}

function statusOf(trailers: readonly HeaderField[], head: readonly HeaderField[]): RpcStatus {
  const code = fieldValue(trailers, "grpc-status");
  if (code === undefined) {
    const http = fieldValue(head, ":status") ?? "none";
    const text = `unexpected HTTP status code received from server: ${http}`;
    return new RpcStatus(codeByHttpStatus[http] ?? StatusCode.Unknown, text);
  }
  const text = percentDecode(fieldValue(trailers, "grpc-message") ?? "");
  const known = /^\d{1,2}$/.test(code) && Number(code) <= StatusCode.Unauthenticated;
  const details = fieldValue(trailers, "grpc-status-details-bin");
  return new RpcStatus(
    known ? (Number(code) as StatusCode) : StatusCode.Unknown,
    text,
    details === undefined ? undefined : Buffer.from(details, "base64"),
  );
}

/** grpc/grpc doc/http-grpc-status-mapping.md */
const codeByHttpStatus: Readonly<Record<string, StatusCode>> = {
  400: StatusCode.Internal,
  401: StatusCode.Unauthenticated,
  403: StatusCode.PermissionDenied,
  404: StatusCode.Unimplemented,
  429: StatusCode.Unavailable,
  502: StatusCode.Unavailable,
  503: StatusCode.Unavailable,
  504: StatusCode.Unavailable,
};

/** gRPC over HTTP/2, "Errors": what a reset stream, or a lost connection (no code), means. */
function resetStatus(code: ErrorCode | undefined): RpcStatus {
  if (code === undefined) return new RpcStatus(StatusCode.Unavailable, "the connection was lost");
  const text = `stream terminated by RST_STREAM with error code: ${code}`;
  switch (code) {
    case ErrorCode.RefusedStream:
      return new RpcStatus(StatusCode.Unavailable, text);
    case ErrorCode.Cancel:
      return new RpcStatus(StatusCode.Canceled, text);
    case ErrorCode.EnhanceYourCalm:
      return new RpcStatus(StatusCode.ResourceExhausted, text);
    case ErrorCode.InadequateSecurity:
      return new RpcStatus(StatusCode.PermissionDenied, text);
    default:
      return new RpcStatus(StatusCode.Internal, text);
  }
}
