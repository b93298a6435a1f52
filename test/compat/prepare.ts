/**
 * What the foreign clients need before they can run, made once and kept under node_modules/.cache/quorate: the Go
 * tests compiled, a Python with its client. Every function is quick when the work is done, and safe to call from two
 * processes at once.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../support/child-process.js";
import { repositoryRoot } from "../support/server-binary.js";

const here = dirname(fileURLToPath(import.meta.url));
export const goDirectory = join(here, "go");
export const pythonDirectory = join(here, "python");
export const cacheDirectory = join(repositoryRoot, "node_modules/.cache/quorate");
const commandTimeoutMs = 280_000;
const lockPollMs = 100;
/** A lock older than any of the commands may take belongs to a process that died. */
const lockStaleMs = commandTimeoutMs + 20_000;

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { CGO_ENABLED: "0", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  const finished = await runToEnd(command, args, { env, cwd, input: undefined, timeoutMs: commandTimeoutMs });
  if (finished.code === 0) return finished.stdout;
  throw new Error(`${command} ${args.join(" ")} failed:\n${finished.stdout}\n${finished.stderr}`);
}

/** Hash over files by name and content, and over `more`. */
function fingerprint(directory: string, names: readonly string[], more: string): string {
  const hash = createHash("sha256").update(more);
  for (const name of [...names].sort())
    hash.update(`\0${name}\0`).update(readFileSync(join(directory, name)));
  return hash.digest("hex").slice(0, 16);
}

async function isStale(path: string): Promise<boolean> {
  const made = await stat(path).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > lockStaleMs;
}

/** Runs `make` unless `ready` exists; of two processes that come at once, one makes and the other waits. */
async function makeOnce(ready: string, make: () => Promise<void>): Promise<void> {
  if (existsSync(ready)) return;
  await mkdir(cacheDirectory, { recursive: true });
  const lock = `${ready}.lock`;
  for (;;) {
    const mine = await mkdir(lock).then(
      () => true,
      () => false,
    );
    if (mine) break;
    if (await isStale(lock)) await rm(lock, { recursive: true, force: true });
    await new Promise((resolve) => setTimeout(resolve, lockPollMs));
    if (existsSync(ready)) return;
  }
  try {
    if (!existsSync(ready)) await make();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** Removes what earlier versions of the sources left in the cache. */
async function removeOld(prefix: string, keep: string): Promise<void> {
  for (const name of readdirSync(cacheDirectory)) {
    const other = name.startsWith(prefix) && !name.startsWith(keep);
    if (other) await rm(join(cacheDirectory, name), { recursive: true, force: true });
  }
}

/** Path of the compiled Go tests. Needs `go`, and the Go module proxy the first time. */
export async function goTestBinary(): Promise<string> {
  const sources = readdirSync(goDirectory).filter((name) => /\.(go|mod|sum)$/.test(name));
  const name = `go-compat-${fingerprint(goDirectory, sources, process.arch)}`;
  const binary = join(cacheDirectory, name);
  await makeOnce(binary, async () => {
    await run("go", ["test", "-c", "-o", `${binary}.new`, "."], goDirectory);
    await rename(`${binary}.new`, binary);
    await removeOld("go-compat-", name);
  });
  return binary;
}

/** Path of a Python that has the packages of python/requirements.txt. Needs `python3`, and PyPI the first time. */
export async function pythonInterpreter(): Promise<string> {
  const name = `python-${fingerprint(pythonDirectory, ["requirements.txt"], process.arch)}`;
  const environment = join(cacheDirectory, name);
  const ready = join(environment, "ready");
  await mkdir(cacheDirectory, { recursive: true });
  await makeOnce(`${environment}.ready`, async () => {
    await rm(environment, { recursive: true, force: true });
    await run("python3", ["-m", "venv", environment], pythonDirectory);
    const requirements = join(pythonDirectory, "requirements.txt");
    await run(
      join(environment, "bin/python"),
      ["-m", "pip", "install", "--quiet", "--requirement", requirements],
      here,
    );
    await mkdir(ready);
    await rename(ready, `${environment}.ready`);
    await removeOld("python-", name);
  });
  return join(environment, "bin/python");
}
