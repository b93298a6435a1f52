/** The bound of connections of one listener. If this fails, clients that only connect take all descriptors of a member. */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { expect, test, vi } from "vitest";
import { limits } from "../../src/base/limits.js";
import { type Logger, silentLogger } from "../../src/base/logger.js";
import type { TransportServerOptions } from "../../src/transport/server-contract.js";
import { makeCertificates } from "../support/certificates.js";
import { startServer, staticTls } from "./support.js";

vi.mock("../../src/base/limits.js", async (original) => {
  const { limits } = (await original()) as typeof import("../../src/base/limits.js");
  return { limits: { ...limits, connectionsMax: 3 } };
});

interface Listener {
  readonly scheme: "http" | "https";
  readonly options: Partial<TransportServerOptions>;
  readonly ca: Buffer | undefined;
}

function plain(): Listener {
  return { scheme: "http", options: {}, ca: undefined };
}

function secure(): Listener {
  const { ca, server } = makeCertificates();
  const tls = { ...server, requestCert: false, rejectUnauthorized: false, ...staticTls };
  return { scheme: "https", options: { tls }, ca };
}

/** The status of an answer on a connection of its own, or how that ended without one. */
async function served(session: ClientHttp2Session): Promise<number | "refused"> {
  return new Promise((resolve) => {
    session.on("error", () => resolve("refused"));
    session.on("close", () => resolve("refused"));
    const stream = session.request({ ":path": "/" });
    stream.on("response", (headers) => resolve(Number(headers[":status"])));
    stream.on("error", () => resolve("refused"));
    stream.resume();
  });
}

test.each([
  ["without TLS", plain],
  ["with TLS", secure],
])("%s a connection over the bound is refused, and one may come when another has left", async (_, of) => {
  const { scheme, options, ca } = of();
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (_caller, text) => warnings.push(text) };
  const server = await startServer(options, log);
  const connect = (): ClientHttp2Session =>
    connectHttp2(`${scheme}://127.0.0.1:${server.port}`, ca === undefined ? {} : { ca });
  const sessions: ClientHttp2Session[] = [];
  try {
    for (let count = 0; count < limits.connectionsMax; count++) {
      sessions.push(connect());
      expect(await served(sessions.at(-1)!)).toBe(200);
    }
    expect(await served(connect())).toBe("refused");
    expect(await served(connect())).toBe("refused");
    expect(warnings).toEqual(Array(2).fill("dropped a connection: too many are open"));
    // Those that were there are none the worse for it.
    expect(await served(sessions[2]!)).toBe(200);
    const left = sessions.shift()!;
    left.destroy();
    await expect.poll(() => server.server.connectionCount).toBe(limits.connectionsMax - 1);
    sessions.push(connect());
    expect(await served(sessions.at(-1)!)).toBe(200);
    expect(await served(connect())).toBe("refused");
  } finally {
    for (const session of sessions) session.destroy();
    await server.close();
  }
});
