/**
 * The last step of `npm run build`: has V8 compile the bundled server and keeps what it made (src/server/bundle.ts).
 * V8 compiles a function when it is first called, so a member is started, as a user would: once to have some data,
 * then once more, until it answers, in the process whose code is kept.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { connect } from "./dist/client/index.js";
import { codeFile, loadProgram, runProgram } from "./dist/server/bundle.js";

// V8 takes code back under the same flags only: those of bin/etcd.
const flags = [
  "--no-warnings",
  "--semi-space-growth-factor=8",
  "--max-semi-space-size=8",
  "--no-memory-reducer",
  "--no-parallel-scavenge",
];
const answerMsMax = 60_000;
const answerPollMs = 50;

const [directory, clientUrl, ...serverArgs] = process.argv.slice(2);
if (clientUrl === undefined) await startTwice();
else await keepCode();

async function startTwice() {
  const data = mkdtempSync(join(tmpdir(), "quorate-build-"));
  try {
    const [clientPort, peerPort] = await Promise.all([freePort(), freePort()]);
    const client = `http://127.0.0.1:${clientPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const args = [
      ...["--name=m", `--data-dir=${join(data, "m")}`, `--initial-cluster=m=${peer}`, "--log-level=error"],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
    ];
    await run([join(directory, "main.js"), ...args], async (child) => {
      const connection = await answered(client);
      const { ID: lease } = await connection.leases.grant(600);
      for (let at = 0; at < 200; at++)
        await connection.kv.put(`key-${at % 150}`, "value", at < 5 ? { lease } : {});
      await connection.kv.delete("key-0");
      await connection.close();
      child.kill();
    });
    await run([import.meta.filename, directory, client, ...args], async () => {});
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Runs Node as bin/etcd does, until it ends. */
async function run(args, use) {
  const child = spawn(process.execPath, [...flags, ...args], { stdio: "inherit" });
  const ended = once(child, "exit");
  try {
    await Promise.race([use(child), ended.then(() => {})]);
  } catch (error) {
    child.kill();
    throw error;
  }
  const [status, signal] = await ended;
  if (signal === null && status !== 0) throw new Error(`the bundled server ended with status ${status}`);
}

/** This process becomes the server. */
async function keepCode() {
  process.argv.splice(1, Number.POSITIVE_INFINITY, import.meta.filename, ...serverArgs);
  const program = loadProgram(directory, undefined);
  runProgram(program, import.meta.filename);
  await (await answered(clientUrl)).close();
  // A running member has set a flag more (src/server/idle-collector.ts), and the code would ask for it.
  setFlagsFromString("--no-expose-gc");
  const file = codeFile(directory);
  writeFileSync(`${file}.tmp`, program.createCachedData());
  renameSync(`${file}.tmp`, file);
  process.kill(process.pid, "SIGTERM");
}

/** A connection to the member, which has answered a linearizable read. */
async function answered(endpoint) {
  const connection = connect({ endpoints: [endpoint] });
  for (const deadline = Date.now() + answerMsMax; ; await delay(answerPollMs)) {
    try {
      await connection.kv.get("key-0");
      return connection;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}
