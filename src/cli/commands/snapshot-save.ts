/**
 * `snapshot save`: one member's store into a file, first under another name, so that a file of the wanted name
 * is always whole. The last 32 bytes that the server sends are the SHA-256 of those before; they are checked
 * here and stay in the file, where `snapshot restore` looks for them.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import type { CallOptions, QuorateClient } from "../../client/index.js";
import { failureText } from "../client-error.js";
import type { CliHost, CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { log } from "../global-flags.js";
import { formatDuration, humanBytes } from "../go-format.js";
import { fileErrorText } from "../session.js";
import { snapshotExamples } from "./snapshot.js";

const sha256Bytes = 32;
/** Stores come in whole disk sectors, so that a size of n × 512 + 32 tells of a hash at the end. */
const sectorBytes = 512;
const privateFileMode = 0o600;

export const snapshotSaveCommand: CommandSpec = {
  use: "save <filename>",
  examples: snapshotExamples,
  async run({ flags, host, positional, session: open }) {
    const [path] = positional;
    if (path === undefined || positional.length !== 1) {
      throw badArguments("snapshot save expects one argument <filename>");
    }
    const session = await open();
    if (session.endpoints.length !== 1) {
      const endpoints = session.endpoints.join(" ");
      const text = `snapshot must be requested to one selected node, not multiple [${endpoints}]`;
      throw new CliFailure(ExitCode.Interrupted, text);
    }
    // A big store takes as long as it takes, unless the user said how long.
    const callOptions = flags.changed("command-timeout") ? session.startClock()() : {};
    const version = await save(session.client(), session.endpoints[0]!, path, callOptions, host);
    host.out(`Snapshot saved at ${path}\n`);
    if (version !== "") host.out(`Server version ${version}\n`);
  },
};

async function save(
  client: QuorateClient,
  endpoint: string,
  path: string,
  callOptions: CallOptions,
  host: CliHost,
): Promise<string> {
  const partPath = `${path}.part`;
  const file = await openPart(partPath);
  try {
    log(host, "info", "created temporary db file", { path: partPath });
    const startedMs = performance.now();
    log(host, "info", "fetching snapshot", { endpoint });
    const { sizeBytes, version } = await fetchInto(file, client, callOptions);
    await file.sync();
    await file.close();
    log(host, "info", "fetched snapshot", {
      endpoint,
      size: humanBytes(BigInt(sizeBytes)),
      took: formatDuration(performance.now() - startedMs),
      "etcd-version": version,
    });
    await rename(partPath, path).catch((error: unknown) => {
      throw interrupted(`could not rename ${partPath} to ${path} (${fileErrorText(error)})`);
    });
    log(host, "info", "saved", { path });
    return version;
  } catch (error) {
    throw error instanceof CliFailure ? error : interrupted(failureText(error));
  } finally {
    await file.close();
    await rm(partPath, { force: true });
  }
}

async function openPart(path: string): Promise<FileHandle> {
  try {
    return await open(path, "w", privateFileMode);
  } catch (error) {
    throw interrupted(`could not open ${path} (open ${path}: ${fileErrorText(error)})`);
  }
}

interface Fetched {
  readonly sizeBytes: number;
  /** Of the server; empty where it does not say. */
  readonly version: string;
}

async function fetchInto(file: FileHandle, client: QuorateClient, options: CallOptions): Promise<Fetched> {
  const hash = createHash("sha256");
  // The last bytes received, which are the server's hash when nothing follows them.
  let tail: Uint8Array = new Uint8Array(0);
  let sizeBytes = 0;
  let version = "";
  for await (const { blob, version: told } of client.maintenance.snapshot(options)) {
    if (told !== "") version = told;
    await file.writeFile(blob);
    sizeBytes += blob.length;
    const pending = Buffer.concat([tail, blob]);
    const hashed = Math.max(0, pending.length - sha256Bytes);
    hash.update(pending.subarray(0, hashed));
    tail = pending.subarray(hashed);
  }
  if (sizeBytes % sectorBytes !== sha256Bytes) {
    throw interrupted(`sha256 checksum not found [bytes: ${sizeBytes}]`);
  }
  if (!hash.digest().equals(tail)) throw interrupted("snapshot does not match its sha256 checksum");
  return { sizeBytes, version };
}

function interrupted(text: string): CliFailure {
  return new CliFailure(ExitCode.Interrupted, text);
}
