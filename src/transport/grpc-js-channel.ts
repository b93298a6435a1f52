/** RpcChannel over @grpc/grpc-js. */
import * as grpc from "@grpc/grpc-js";
import { concatBytes } from "../base/bytes.js";
import type { CallMetadata, OutgoingStream, OutgoingStreamListener, RpcChannel } from "./channel.js";
import { RpcStatus, type StatusCode } from "./rpc.js";

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const same = (bytes: Buffer): Buffer => bytes;

/** `url` is http://host:port. */
export function grpcJsChannel(url: string): RpcChannel {
  const { host } = new URL(url);
  const client = new grpc.Client(host, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    // Links must not share a connection: closing one would end the others.
    "grpc.use_local_subchannel_pool": 1,
  });
  return {
    openStream(path, metadata, listener): OutgoingStream {
      const call = client.makeBidiStreamRequest(path, asBuffer, same, metadataOf(metadata));
      return listen(call, listener);
    },
    unary(path, request, options) {
      return new Promise((resolve, reject) => {
        const deadline = Date.now() + options.timeoutMs;
        client.makeUnaryRequest(
          path,
          asBuffer,
          same,
          request,
          metadataOf(options.metadata),
          { deadline },
          (error, answer) => {
            if (error !== null) reject(new RpcStatus(error.code as StatusCode, error.details));
            else resolve(answer!);
          },
        );
      });
    },
    close() {
      client.close();
    },
  };
}

function listen(
  call: grpc.ClientDuplexStream<Uint8Array, Buffer>,
  listener: OutgoingStreamListener,
): OutgoingStream {
  let over = false;
  const end = (code: number, message: string): void => {
    if (over) return;
    over = true;
    listener.end({ code, message });
  };
  call.on("data", (bytes: Buffer) => {
    if (!over) listener.message(bytes);
  });
  call.on("drain", () => {
    if (!over) listener.drain();
  });
  call.on("error", (error: Error & { code?: number; details?: string }) =>
    end(error.code ?? 2, error.details ?? error.message),
  );
  call.on("status", (status) => end(status.code, status.details));
  return {
    write: (parts) => call.write(parts instanceof Uint8Array ? parts : concatBytes(parts)),
    finish: () => call.end(),
    cancel: () => call.cancel(),
  };
}

function metadataOf(fields: CallMetadata): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(fields)) metadata.set(key, value);
  return metadata;
}
