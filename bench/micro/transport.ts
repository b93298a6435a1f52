/**
 * CPU of the server per empty unary call, ours beside that of @grpc/grpc-js: 100 calls at a time over 10
 * connections, then one at a time. Each server runs in a child process, so that its CPU is its own; the load comes
 * from this process, through our client half.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { silentLogger } from "../../src/base/logger.js";
import { connectGrpc, type GrpcChannel } from "../../src/transport/http2/client.js";
import { createGrpcServer } from "../../src/transport/http2/server.js";
import { RpcStatus, StatusCode } from "../../src/transport/rpc.js";
import { repositoryRoot } from "../../test/support/server-binary.js";

const path = "/etcdserverpb.KV/Range";
const empty = Buffer.alloc(0);
const kinds = ["ours", "grpc-js"] as const;
type Kind = (typeof kinds)[number];
/** Argument that makes this file the server of a child process. */
const childMark = "--serve=";

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

async function serveOurs(): Promise<number> {
  const same = (bytes: Uint8Array): Uint8Array => bytes;
  const server = createGrpcServer(
    {
      methods: [{ kind: "unary", path, decode: same, encode: same, handle: () => empty }],
      mapError: (error) => new RpcStatus(StatusCode.Internal, String(error)),
      http: (_request, response) => response.end(),
      endpoint: "client",
      tls: undefined,
      receiveBytesMax: 2 * 1024 * 1024,
      concurrentStreamsMax: 10_000,
      keepaliveMinTimeMs: 5_000,
      keepaliveIntervalMs: 7_200_000,
      keepaliveTimeoutMs: 20_000,
    },
    { log: silentLogger, calls: undefined },
  );
  return (await server.listen({ host: "127.0.0.1", port: 0 })).port;
}

function serveGrpcJs(): Promise<number> {
  const same = (bytes: Buffer): Buffer => bytes;
  const codecs = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const server = new Server();
  server.addService(
    { Range: { path, requestStream: false, responseStream: false, ...codecs } },
    { Range: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, empty) },
  );
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

/** The child's side: serves, and says how much CPU it has used whenever it is asked. */
async function serve(kind: Kind): Promise<void> {
  const port = kind === "ours" ? await serveOurs() : await serveGrpcJs();
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send!({ cpuUs: user + system });
  });
  process.on("disconnect", () => process.exit(0));
  process.send!({ port });
}

function answerOf(child: ChildProcess): Promise<Record<string, number>> {
  return new Promise((resolve) =>
    child.once("message", (answer) => resolve(answer as Record<string, number>)),
  );
}

async function cpuUs(child: ChildProcess): Promise<number> {
  child.send("cpu");
  return (await answerOf(child)).cpuUs!;
}

/** `lanes` calls at a time, `calls` in all; returns the latencies in µs, sorted. */
async function load(channels: readonly GrpcChannel[], lanes: number, calls: number): Promise<Float64Array> {
  const latencies = new Float64Array(calls);
  let next = 0;
  const lane = async (channel: GrpcChannel): Promise<void> => {
    while (next < calls) {
      const index = next++;
      const startMs = performance.now();
      await channel.unary(path, empty, { timeoutMs: undefined, metadata: {} });
      latencies[index] = (performance.now() - startMs) * 1000;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, i) => lane(channels[i % channels.length]!)));
  return latencies.sort();
}

async function measure(kind: Kind): Promise<Figure[]> {
  const figures: Figure[] = [];
  const thisFile = join(repositoryRoot, "bench/micro/transport.ts");
  const child = fork(join(repositoryRoot, "node_modules/vite-node/vite-node.mjs"), [
    thisFile,
    childMark + kind,
  ]);
  const { port } = await answerOf(child);
  const channels = await Promise.all(
    Array.from({ length: 10 }, () =>
      connectGrpc({
        host: "127.0.0.1",
        port: port!,
        tls: undefined,
        receiveBytesMax: 1024,
        connectTimeoutMs: 1000,
        keepaliveIntervalMs: 60_000,
        keepaliveTimeoutMs: 10_000,
      }),
    ),
  );
  for (const { lanes, calls } of [
    { lanes: 100, calls: 200_000 },
    { lanes: 1, calls: 10_000 },
  ]) {
    await load(channels.slice(0, lanes), lanes, calls / 4);
    const cpuBeforeUs = await cpuUs(child);
    const startMs = performance.now();
    const latencies = await load(channels.slice(0, lanes), lanes, calls);
    const seconds = (performance.now() - startMs) / 1000;
    const usedUs = (await cpuUs(child)) - cpuBeforeUs;
    const what = `${kind}, ${lanes} at a time`;
    figures.push(
      { name: `${what}, rate`, value: calls / seconds, unit: "calls/s" },
      { name: `${what}, CPU of the server for a call`, value: usedUs / calls, unit: "µs" },
      { name: `${what}, median latency`, value: latencies[Math.floor(calls / 2)]!, unit: "µs" },
      { name: `${what}, latency at 99 %`, value: latencies[Math.floor(calls * 0.99)]!, unit: "µs" },
    );
  }
  for (const channel of channels) channel.close();
  child.disconnect();
  return figures;
}

export async function run(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const kind of kinds) figures.push(...(await measure(kind)));
  return figures;
}

const kindToServe = kinds.find((kind) => process.argv.includes(childMark + kind));
if (kindToServe !== undefined) await serve(kindToServe);
