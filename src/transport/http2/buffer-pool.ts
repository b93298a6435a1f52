/**
 * Memory for output that is written to the socket in the same turn and can be used again after it. When very many
 * connections write in one turn (an event that ten thousand watchers wait for), the later ones get small buffers:
 * a few bytes each must not take 16 KiB each.
 */
import { limits } from "../../base/limits.js";

const largeBytes = 16 * 1024;
export const smallOutputBufferBytes = 2 * 1024;
const free: Buffer[] = [];
let largeInUse = 0;

export function takeOutputBuffer(): Buffer {
  if (largeInUse >= limits.outputBuffersKept) return Buffer.allocUnsafe(smallOutputBufferBytes);
  largeInUse++;
  return free.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
}

/** The writer needs the buffer no more; `reusable` when the socket is done with every part of it as well. */
export function giveBackOutputBuffer(buffer: Buffer, reusable: boolean): void {
  if (buffer.length !== largeBytes) return;
  largeInUse--;
  if (reusable) free.push(buffer);
}
