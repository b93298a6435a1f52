/** Tells HTTP/2 by prior knowledge (RFC 9113, section 3.3) from HTTP/1.1 by the first bytes of a connection. */
import { METHODS } from "node:http";
import type { Socket } from "node:net";
import { clientPreface } from "./protocol.js";

/** "neither": what came can be the beginning of no request. */
export type DetectedProtocol = "http1" | "http2" | "neither";

const methods: ReadonlySet<string> = new Set(METHODS);
const methodBytesMax = Math.max(...METHODS.map((method) => method.length));

/**
 * Calls `decided` once the first bytes say which it is; they are back in the socket then. Does not time out by
 * itself.
 */
export function detectProtocol(socket: Socket, decided: (protocol: DetectedProtocol) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
    const protocol = protocolOf(seen);
    if (protocol === undefined) return;
    socket.removeListener("readable", onReadable);
    socket.unshift(seen);
    decided(protocol);
  };
  socket.on("readable", onReadable);
}

/** What begins with `bytes`; undefined when they are too few to say. */
export function protocolOf(bytes: Buffer): DetectedProtocol | undefined {
  const compared = Math.min(bytes.length, clientPreface.length);
  if (clientPreface.compare(bytes, 0, compared, 0, compared) === 0) {
    return compared === clientPreface.length ? "http2" : undefined;
  }
  const space = bytes.indexOf(0x20);
  if (space < 0 && bytes.length <= methodBytesMax) return undefined;
  return space >= 0 && methods.has(bytes.toString("latin1", 0, space)) ? "http1" : "neither";
}
