/** What a peer link needs of a gRPC client: raw bytes on streams and unary calls over one connection. */

export interface StreamEnd {
  /** gRPC status code; 0 when all went well. */
  readonly code: number;
  readonly message: string;
}

export interface OutgoingStreamListener {
  message(bytes: Uint8Array): void;
  /** There is room again after `write` said false. */
  drain(): void;
  /** Called once, whatever ended the stream; nothing else is called after it. */
  end(status: StreamEnd): void;
}

export interface OutgoingStream {
  /** False when the receiver is behind: wait for `drain`. What was given is sent all the same. */
  write(parts: Uint8Array | readonly Uint8Array[]): boolean;
  /** No more will be written. */
  finish(): void;
  cancel(): void;
}

export type CallMetadata = Readonly<Record<string, string>>;

export interface RpcChannel {
  openStream(path: string, metadata: CallMetadata, listener: OutgoingStreamListener): OutgoingStream;
  /** Rejects with RpcStatus. */
  unary(
    path: string,
    request: Uint8Array,
    options: { readonly metadata: CallMetadata; readonly timeoutMs: number },
  ): Promise<Uint8Array>;
  close(): void;
}

/** Dials lazily or at once; a connection that fails shows as the end of the streams on it. */
export type ChannelFactory = (url: string) => RpcChannel;
