/** gzip of messages (gRPC over HTTP/2, "Compressed-Flag"). */
import { constants, gunzipSync, gzipSync } from "node:zlib";
import { concatBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import { RpcStatus, StatusCode } from "../rpc.js";

/** What we can decompress, as `grpc-accept-encoding` says it. */
export const acceptedEncodings = "gzip";

/**
 * The message, compressed; undefined where it is better sent as it is: each message says for itself whether it
 * is compressed, and a large one would hold the event loop up.
 */
export function compressMessage(
  parts: Uint8Array | readonly Uint8Array[],
  bytes: number,
): Buffer | undefined {
  if (bytes === 0 || bytes > limits.gzipBytesMax) return undefined;
  const whole = parts instanceof Uint8Array ? parts : concatBytes(parts);
  return gzipSync(whole, { level: constants.Z_BEST_SPEED });
}

/** Throws RpcStatus in grpc-go's words. `encoding` is what the request's head said. */
export function decompressMessage(bytes: Uint8Array, encoding: string, receiveBytesMax: number): Uint8Array {
  if (encoding === "" || encoding === "identity") {
    throw new RpcStatus(StatusCode.Internal, "grpc: compressed flag set with identity or empty encoding");
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: receiveBytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new RpcStatus(
        StatusCode.ResourceExhausted,
        `grpc: received message after decompression larger than max ${receiveBytesMax}`,
      );
    }
    const text = error instanceof Error ? error.message : String(error);
    throw new RpcStatus(StatusCode.Internal, `grpc: failed to read decompressed data: ${text}`);
  }
}
