/** A TCP proxy before a server, whose connections a test breaks. */
import { connect, createServer, type Socket } from "node:net";

export interface BreakingProxy {
  readonly endpoint: string;
  /** Breaks all connections. */
  cut(): void;
  stop(): void;
}

export async function startProxy(target: string): Promise<BreakingProxy> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const ownPort = typeof address === "object" ? address?.port : undefined;
  return {
    endpoint: `127.0.0.1:${ownPort}`,
    cut,
    stop() {
      cut();
      server.close();
    },
  };
}
