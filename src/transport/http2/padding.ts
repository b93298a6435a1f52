/** Padding of DATA and HEADERS frames (RFC 9113, sections 6.1 and 6.2). */
import { ConnectionError, ErrorCode } from "./protocol.js";

/** Where the content of `bytes[start, end)` ends: it begins behind the length of the padding, at `start + 1`. */
export function unpaddedEnd(bytes: Buffer, start: number, end: number): number {
  const to = start < end ? end - bytes[start]! : start;
  if (to <= start) throw new ConnectionError(ErrorCode.ProtocolError, "more padding than payload");
  return to;
}
