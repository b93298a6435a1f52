import { createServer } from "node:net";

const loopback = "127.0.0.1";
/**
 * Below the range that the system takes ports from for outgoing connections (32768 on Linux): no connection can
 * sit on a port between its choice here and its use by the server.
 */
const lowestPort = 20_000;
const highestPort = 32_000;
const attemptsMax = 200;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ host: loopback, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `count` different loopback ports that nothing listens on. Random, so that tests at work side by side seldom meet. */
export async function freePorts(count: number): Promise<number[]> {
  const chosen = new Set<number>();
  for (let attempt = 0; attempt < attemptsMax && chosen.size < count; attempt++) {
    const port = lowestPort + Math.floor(Math.random() * (highestPort - lowestPort));
    if (!chosen.has(port) && (await isFree(port))) chosen.add(port);
  }
  if (chosen.size < count) throw new Error(`found ${chosen.size} free ports of ${count}`);
  return [...chosen];
}
