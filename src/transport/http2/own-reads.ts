/**
 * Reads into one buffer that all connections share, copied out at once. Node.js gives each read 64 KiB of new memory,
 * cuts it to what came and makes an ArrayBuffer of it. Where malloc has no such piece at hand that is an mmap, a page
 * fault and a munmap, 20 to 50 µs in a virtual machine, for what are 30 to 3,000 bytes; the copy takes 0.1 µs.
 *
 * The option `onread` does that for sockets that one connects, but node:net knows none for those that a server accepts.
 * So an accepted socket's handle goes over to a socket that is made with it. The handle has no public name; a socket
 * without one is left as it is.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

interface HandleOwner {
  _handle?: object | null;
}

/** What the constructor takes beyond its types. */
interface HandleOptions {
  readonly handle: object;
  /** It is reading already. */
  readonly manualStart: true;
  readonly onread: OnReadOpts;
}

/** As much as Node.js reads at once. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** The option `onread` for a socket to connect: what is read comes as "data". `socketOf` is called when it does. */
export function sharedReads(socketOf: () => Socket): OnReadOpts {
  return {
    buffer: shared,
    callback: (length) => {
      const chunk = Buffer.allocUnsafe(length);
      shared.copy(chunk, 0, 0, length);
      socketOf().emit("data", chunk);
      return true;
    },
  };
}

/**
 * A socket in the place of `accepted`, which closes: plain TCP, its own reads. What `accepted` has read and nobody took
 * comes first. The caller has to listen before this turn of the event loop ends.
 */
export function takeOver(accepted: Socket): Socket {
  const owner = accepted as HandleOwner;
  const handle = owner._handle;
  if (handle === undefined || handle === null) return accepted;
  const unread = accepted.read() as Buffer | null;
  owner._handle = null;
  const options: SocketConstructorOpts & HandleOptions = {
    handle,
    manualStart: true,
    onread: sharedReads(() => socket),
  };
  const socket: Socket = new Socket(options);
  accepted.destroy();
  if (unread !== null) process.nextTick(() => socket.emit("data", unread));
  return socket;
}
