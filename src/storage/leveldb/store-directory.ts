/**
 * The directory of the store, `<data-dir>/member/store/`:
 *
 *   active            names the database in use: "db-1 <crc32c of the name, hex>\n"; replaced by rename
 *   active.tmp        a replacement that was not finished
 *   db-<n>/           a LevelDB; one is active, others were replaced or never came into use
 *   incoming-<n>/     an image that is being received
 *
 * A received image becomes active by three steps, each durable before the next: rename incoming-<n> to db-<n>;
 * write active.tmp; rename it to active. A crash before the last leaves the old database in use, after it the
 * new one. Everything that is not active is removed at the next start, while the active LevelDB's lock is held;
 * a replaced database already when the new one is open.
 */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { latin1ToBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import { damagedStore } from "./damage.js";

const activeFile = "active";
const temporaryFile = "active.tmp";
const databasePattern = /^db-([1-9][0-9]{0,14})$/;
const incomingPattern = /^incoming-([1-9][0-9]{0,14})$/;

/** Only the owner may look into the data (CVE-2020-15113). */
export const directoryMode = 0o700;

export function databaseName(number: number): string {
  return `db-${number}`;
}

/** Makes the directory where there is none. */
export async function makeStoreDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: directoryMode });
}

/** Name of the active database; undefined where none ever was. */
export async function readActive(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, activeFile), "latin1").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const name = text.split(" ")[0]!;
  if (!databasePattern.test(name) || text !== activeText(name)) {
    throw damagedStore(directory, `the file "${activeFile}" does not name a database`);
  }
  return name;
}

/** Makes `name` the active database, durably. */
export async function writeActive(directory: string, name: string): Promise<void> {
  const temporary = join(directory, temporaryFile);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(activeText(name), "latin1");
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, activeFile));
  await syncDirectory(directory);
}

/** Names of all databases, active or not. */
export async function listDatabases(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => databasePattern.test(name)).sort();
}

/** A fresh directory for an incoming image, and the number that its database will have. */
export async function makeIncoming(
  directory: string,
): Promise<{ readonly path: string; readonly number: number }> {
  let number = 1;
  for (const name of await readdir(directory)) {
    const match = databasePattern.exec(name) ?? incomingPattern.exec(name);
    if (match !== null) number = Math.max(number, Number(match[1]) + 1);
  }
  const path = join(directory, `incoming-${number}`);
  await mkdir(path, { mode: directoryMode });
  return { path, number };
}

/** Makes a complete, synced incoming database the active one. */
export async function activateIncoming(
  directory: string,
  incoming: { path: string; number: number },
): Promise<void> {
  const name = databaseName(incoming.number);
  await syncDirectory(incoming.path);
  await rename(incoming.path, join(directory, name));
  await syncDirectory(directory);
  await writeActive(directory, name);
}

/** "databases" leaves incoming images alone: one may be on its way while the one before it is installed. */
export type Leftovers = "all" | "databases";

/** Removes what a crash or a replaced database left. Says what it removed. */
export async function removeLeftovers(
  directory: string,
  active: string,
  leftovers: Leftovers,
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const unfinished = incomingPattern.test(name) || name === temporaryFile;
    const ours = databasePattern.test(name) || (unfinished && leftovers === "all");
    if (!ours || name === active) continue;
    await rm(join(directory, name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function activeText(name: string): string {
  return `${name} ${crc32c(latin1ToBytes(name)).toString(16).padStart(8, "0")}\n`;
}
