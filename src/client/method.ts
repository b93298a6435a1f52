/** One rpc as the connection needs to know it. */
import type { MessageFns } from "../gen/etcdserver.js";

export interface ClientMethod<Request, Response> {
  /** "/etcdserverpb.KV/Put" */
  readonly path: string;
  /** False where sending it twice could be seen: such a call is never sent again once it may have arrived. */
  readonly repeatable: boolean;
  encode(request: Request): Buffer;
  decode(bytes: Buffer): Response;
}

/** A method that carries the generated messages as they are. */
export function clientMethod<Request, Response>(
  path: string,
  kind: "read" | "write",
  request: MessageFns<Request>,
  response: MessageFns<Response>,
): ClientMethod<Request, Response> {
  return {
    path,
    repeatable: kind === "read",
    encode: (message) => bufferOf(request.encode(message).finish()),
    decode: (bytes) => response.decode(bytes),
  };
}

/** The same bytes as the Buffer that @grpc/grpc-js asks for; nothing is copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
