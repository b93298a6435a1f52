import { dirname, join } from "node:path";
import { openClassicLevelStore } from "./classic-level-store.js";
import { damagedStore } from "./damage.js";
import { LevelRevisionStore, type RevisionStoreDeps, type RevisionStoreOptions } from "./revision-store.js";
import {
  databaseName,
  type Leftovers,
  listDatabases,
  makeStoreDirectory,
  readActive,
  removeLeftovers,
  syncDirectory,
  writeActive,
} from "./store-directory.js";

/**
 * Opens the revision store in `directory` (`<data-dir>/member/store`), or makes a fresh one where there is none, and
 * removes what a crash left of received images. One open store a directory: a second open is refused with StoreError
 * FailedPrecondition. DamageError when the content is not what was written.
 */
export function openRevisionStore(
  directory: string,
  options: RevisionStoreOptions,
  deps: RevisionStoreDeps,
): Promise<LevelRevisionStore> {
  return openActive(directory, options, { ...deps, leftovers: "all" });
}

/**
 * Opens the database that the installation of a received image made the active one, and removes the replaced one.
 * Another image may be on its way in meanwhile: it is not touched. Errors as `openRevisionStore`.
 */
export function openInstalledStore(
  directory: string,
  options: RevisionStoreOptions,
  deps: RevisionStoreDeps,
): Promise<LevelRevisionStore> {
  return openActive(directory, options, { ...deps, leftovers: "databases" });
}

async function openActive(
  directory: string,
  options: RevisionStoreOptions,
  deps: RevisionStoreDeps & { readonly leftovers: Leftovers },
): Promise<LevelRevisionStore> {
  await makeStoreDirectory(directory);
  const active = await readActive(directory);
  const name = active ?? (await firstDatabase(directory));
  const ordered = await openClassicLevelStore(join(directory, name), { create: active === undefined });
  try {
    const store = await LevelRevisionStore.open(options, { ...deps, ordered });
    if (active === undefined) await adopt(directory, name, store);
    const removed = await removeLeftovers(directory, name, deps.leftovers);
    if (removed.length > 0)
      deps.logger.info("storage/leveldb", "removed unused databases", { names: removed });
    return store;
  } catch (error) {
    await ordered.close();
    throw error;
  }
}

/** Where no database is active: the one that a crash kept from becoming so, or a new one. */
async function firstDatabase(directory: string): Promise<string> {
  const names = await listDatabases(directory);
  if (names.length > 1)
    throw damagedStore(directory, `no file "active" says which of ${names.join(", ")} is in use`);
  return names[0] ?? databaseName(1);
}

/** Only a database that holds nothing may become active without having been named. */
async function adopt(directory: string, name: string, store: LevelRevisionStore): Promise<void> {
  if (store.durableApplied.index > 0) {
    throw damagedStore(directory, `no file "active" names the database ${name}, which holds data`);
  }
  await writeActive(directory, name);
  await syncDirectory(dirname(directory));
}
