/**
 * A one-member etcd for tests that want the real thing: the release that `test/tools/etcd` pins where there is Go to
 * build it, else the one in PATH. Such tests are skipped where there is neither.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../support/ports.js";
import { findProgram, programVersion, versionOf } from "../support/server-binary.js";
import { goTool } from "../tools/go-tools.js";

const hasGo = findProgram("go") !== undefined;
const etcdProgram = hasGo ? await goTool("etcd") : "etcd";
export const etcdctlProgram = hasGo ? await goTool("etcdctl") : "etcdctl";

/** "3.7.1", or undefined where there is no etcd. */
export const etcdVersion = versionOf(etcdProgram);
export const etcdctlVersion = programVersion(etcdctlProgram, "version", /etcdctl version: (\S+)/);

/** For an etcdctl that is told all by its command line. */
export const etcdctlEnvironment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("ETCDCTL_")),
);

export interface RealEtcd {
  /** "127.0.0.1:port" */
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** Resolves when it serves; `flags` are added to its command line. */
export async function startEtcd(flags: readonly string[] = []): Promise<RealEtcd> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-real-etcd-"));
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `127.0.0.1:${clientPort}`;
  const clientUrl = `http://${endpoint}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const child = spawn(
    etcdProgram,
    [
      `--data-dir=${directory}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      ...flags,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await readyToServe(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, stop };
}

function readyToServe(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let logged = "";
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`etcd ended early:\n${logged}`)));
    child.stderr!.setEncoding("utf8");
    child.stderr!.on("data", (text: string) => {
      // Kept short: only what tells why it did not start.
      logged = (logged + text).slice(-8_000);
      if (/ready to serve/.test(logged)) resolve();
    });
  });
}
