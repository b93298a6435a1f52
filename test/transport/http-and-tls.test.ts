/** What is not gRPC on the same port, and all of it under TLS. */
import { randomBytes } from "node:crypto";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { request as httpsRequest } from "node:https";
import { ChannelCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Logger } from "../../src/base/logger.js";
import { silentLogger } from "../../src/base/logger.js";
import type { HttpHandler } from "../../src/transport/server-contract.js";
import { type Certificates, makeCertificates } from "../support/certificates.js";
import { GrpcJsClient } from "./grpc-js-client.js";
import {
  commonMethods,
  echoHttp,
  RawPeer,
  startServer,
  staticTls,
  type TestServer,
  unary,
} from "./support.js";

interface Http2Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

function ask(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: Buffer,
): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    let head: Record<string, unknown> = {};
    stream.on("response", (received) => {
      head = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () =>
      resolve({ status: Number(head[":status"]), headers: head, body: Buffer.concat(chunks) }),
    );
    stream.on("error", reject);
    stream.end(body);
  });
}

const http: HttpHandler = (request, response) => {
  if (request.url === "/large") {
    response.setHeader("Content-Type", "application/octet-stream");
    response.setHeader("Connection", "close");
    for (let i = 0; i < 100; i++) response.write(Buffer.alloc(50_000, i));
    response.end();
  } else if (request.url === "/empty") {
    response.statusCode = 204;
    response.end();
  } else echoHttp(request, response);
};

describe("without TLS", () => {
  let server: TestServer;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    server = await startServer({ http });
    session = connectHttp2(`http://127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    session.close();
    await server.close();
  });

  test("HTTP/1.1 requests reach the HTTP handler", async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/v3/kv/put?x=1`, {
      method: "POST",
      body: "abc",
    });
    expect(answer.headers.get("x-seen")).toBe("yes");
    expect(await answer.json()).toMatchObject({
      method: "POST",
      url: "/v3/kv/put?x=1",
      httpVersion: "1.1",
      bytes: 3,
    });
  });

  test("HTTP/1.1 in tiny pieces is understood", async () => {
    const peer = await RawPeer.connect(server.port);
    let text = "";
    peer.socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    for (const piece of [
      "PO",
      "ST / HT",
      "TP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
      "x",
    ]) {
      peer.socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.whenClosed();
    expect(text).toContain('"bytes":1');
  });

  test("HTTP/2 requests that are not gRPC reach the HTTP handler", async () => {
    const body = randomBytes(3_000_000);
    const answer = await ask(session, { ":method": "POST", ":path": "/v3/kv/range" }, body);
    expect(answer.status).toBe(200);
    expect(answer.headers["x-seen"]).toBe("yes");
    expect(JSON.parse(answer.body.toString())).toEqual({
      method: "POST",
      url: "/v3/kv/range",
      httpVersion: "2.0",
      host: `127.0.0.1:${server.port}`,
      bytes: body.length,
    });
  });

  test("a large response arrives whole, without headers of HTTP/1.1", async () => {
    const answer = await ask(session, { ":path": "/large" });
    expect(
      answer.body.equals(Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(50_000, i)))),
    ).toBe(true);
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    expect(answer.headers.connection).toBeUndefined();
  });

  test("a response without body, and one to HEAD", async () => {
    expect(await ask(session, { ":path": "/empty" })).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    const head = await ask(session, { ":method": "HEAD", ":path": "/" });
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  test("a client that resets its request mid-way harms nobody", async () => {
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => {});
    stream.write("abc");
    stream.close(constants.NGHTTP2_CANCEL);
    await new Promise((resolve) => stream.once("close", resolve));
    expect((await ask(session, { ":path": "/" })).status).toBe(200);
  });
});

describe("with TLS", () => {
  let certificates: Certificates;
  let server: TestServer;
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (_caller, text) => warnings.push(text) };
  const methods = [
    ...commonMethods,
    unary("Who", (_request, call) => Buffer.from(call.certificateCommonName ?? "?")),
  ];

  beforeAll(async () => {
    certificates = makeCertificates();
    const { ca } = certificates;
    const tls = { ...certificates.server, ca, requestCert: true, rejectUnauthorized: true, ...staticTls };
    server = await startServer({ methods, http, tls }, log);
  });
  afterAll(() => server.close());

  test("gRPC with a client certificate: the handler sees its common name", async () => {
    const { ca, client } = certificates;
    const grpc = new GrpcJsClient(server.port, {}, ChannelCredentials.createSsl(ca, client.key, client.cert));
    expect((await grpc.unary("Who", Buffer.alloc(0))).toString()).toBe("alice");
    const body = randomBytes(1_500_000);
    expect((await grpc.unary("Echo", body)).equals(body)).toBe(true);
    grpc.close();
  });

  test("HTTP/1.1 by ALPN, and without ALPN, reaches the HTTP handler", async () => {
    const { ca, client } = certificates;
    for (const alpn of [{}, { ALPNProtocols: ["http/1.1"] }]) {
      const options = {
        host: "127.0.0.1",
        port: server.port,
        path: "/version",
        ca,
        ...client,
        ...alpn,
        agent: false,
      };
      const text = await new Promise<string>((resolve, reject) => {
        const outgoing = httpsRequest(options, (response) => {
          let body = "";
          response.on("data", (chunk: Buffer) => {
            body += chunk.toString();
          });
          response.on("end", () => resolve(body));
        });
        outgoing.on("error", reject);
        outgoing.end();
      });
      expect(JSON.parse(text)).toMatchObject({ url: "/version", httpVersion: "1.1" });
    }
  });

  test("HTTP/2 by ALPN that is not gRPC reaches the HTTP handler", async () => {
    const { ca, client } = certificates;
    const session = connectHttp2(`https://127.0.0.1:${server.port}`, { ca, ...client });
    expect((await ask(session, { ":path": "/large" })).body).toHaveLength(5_000_000);
    session.close();
  });

  test("a client without a certificate is rejected, and the log says so", async () => {
    const grpc = new GrpcJsClient(server.port, {}, ChannelCredentials.createSsl(certificates.ca));
    await expect(grpc.unary("Who", Buffer.alloc(0), { deadline: Date.now() + 2000 })).rejects.toThrow();
    grpc.close();
    const peer = await RawPeer.connect(server.port);
    peer.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    await peer.whenClosed();
    expect(warnings).toContain("rejected connection on client endpoint");
  });

  test("between members the log names the peer endpoint", async () => {
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (_caller, message) => warnings.push(message) };
    const { ca, server: pair } = certificates;
    const tls = { ca, ...pair, requestCert: true, rejectUnauthorized: true, ...staticTls };
    const peers = await startServer({ tls, endpoint: "peer" }, log);
    const stranger = await RawPeer.connect(peers.port);
    stranger.send(Buffer.from("not TLS"));
    await stranger.whenClosed();
    expect(warnings).toEqual(["rejected connection on peer endpoint"]);
    await peers.close();
  });
});
