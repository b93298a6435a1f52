/** Things that tests need and that take long to make: made once, kept under node_modules/.cache/quorate. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { runToEnd } from "./child-process.js";
import { repositoryRoot } from "./server-binary.js";

export const cacheDirectory = join(repositoryRoot, "node_modules/.cache/quorate");
/** On a new machine a build fetches its sources first. */
const commandTimeoutMs = 580_000;
const lockPollMs = 100;
/** A lock older than any of the commands may take belongs to a process that died. */
const lockStaleMs = commandTimeoutMs + 20_000;

/** What the program printed. Rejects with all of its output when it fails. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { CGO_ENABLED: "0", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  const finished = await runToEnd(command, args, { env, cwd, input: undefined, timeoutMs: commandTimeoutMs });
  if (finished.code === 0) return finished.stdout;
  throw new Error(`${command} ${args.join(" ")} failed:\n${finished.stdout}\n${finished.stderr}`);
}

/** Hash over files by name and content, and over `more`. */
export function fingerprint(directory: string, names: readonly string[], more: string): string {
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
export async function makeOnce(ready: string, make: () => Promise<void>): Promise<void> {
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
export async function removeOld(prefix: string, keep: string): Promise<void> {
  for (const name of readdirSync(cacheDirectory)) {
    const other = name.startsWith(prefix) && !name.startsWith(keep);
    if (other) await rm(join(cacheDirectory, name), { recursive: true, force: true });
  }
}
