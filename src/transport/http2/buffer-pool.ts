/** Memory for output that is written to the socket in the same turn and can be used again after it. */
import { limits } from "../../base/limits.js";

export const outputBufferBytes = 16 * 1024;

const free: Buffer[] = [];

export function takeOutputBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(outputBufferBytes);
}

/** Only when the socket is done with every part of it. */
export function giveBackOutputBuffer(buffer: Buffer): void {
  if (free.length < limits.outputBuffersKept) free.push(buffer);
}
