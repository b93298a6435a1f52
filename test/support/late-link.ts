/** A TCP relay before a server that hands every byte on late, so that members seem far from each other. */
import { connect, createServer, type Socket } from "node:net";

export interface LateLink {
  stop(): void;
}

/** Bytes keep their order: timers of one duration fire in the order in which they were set. */
function carryLate(from: Socket, to: Socket, delayMs: number): void {
  from.on("data", (chunk) => {
    setTimeout(() => to.writable && to.write(chunk), delayMs);
  });
  from.on("end", () => {
    setTimeout(() => to.end(), delayMs);
  });
  from.on("error", () => {});
  from.on("close", () => {
    setTimeout(() => to.destroy(), delayMs);
  });
}

/** Relays what comes to `port` of loopback to `targetPort`; either direction is `delayMs` late. */
export async function startLateLink(port: number, targetPort: number, delayMs: number): Promise<LateLink> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket.setNoDelay(true));
      socket.on("close", () => open.delete(socket));
    }
    carryLate(near, far, delayMs);
    carryLate(far, near, delayMs);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return {
    stop() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
