/** Tells HTTP/2 by prior knowledge (RFC 9113, section 3.3) from HTTP/1.1 by the first bytes of a connection. */
import type { Socket } from "node:net";
import { clientPreface } from "./protocol.js";

/**
 * Calls `decided` once the first bytes say which it is; they are back in the socket then. No request line of
 * HTTP/1.1 begins like the preface for more than a few bytes. Does not time out by itself.
 */
export function detectProtocol(socket: Socket, decided: (protocol: "http1" | "http2") => void): void {
  const onReadable = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    const compared = Math.min(bytes.length, clientPreface.length);
    const same = clientPreface.compare(bytes, 0, compared, 0, compared) === 0;
    if (same && compared < clientPreface.length) {
      // Not enough yet: it waits in the socket, and "readable" comes again with more.
      socket.unshift(bytes);
      return;
    }
    socket.removeListener("readable", onReadable);
    socket.unshift(bytes);
    decided(same ? "http2" : "http1");
  };
  socket.on("readable", onReadable);
}
