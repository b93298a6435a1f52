/**
 * Receives a store image beside the store in use, and puts it in its place when it is whole (the steps and what a
 * crash in between leaves: leveldb/store-directory.ts). The store in use is not touched before `install`.
 */
import { rm } from "node:fs/promises";
import { assert } from "../../base/assert.js";
import { limits } from "../../base/limits.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { openClassicLevelStore } from "../leveldb/classic-level-store.js";
import { DurableContent } from "../leveldb/durable-content.js";
import { markKey } from "../leveldb/keys.js";
import { encodeMark, type StoreMark } from "../leveldb/mark.js";
import type { OrderedStore, StoreOperation } from "../leveldb/ordered-store.js";
import { activateIncoming, makeIncoming, makeStoreDirectory } from "../leveldb/store-directory.js";
import { ImageReader, refusedImage } from "./image-reader.js";

export interface ReceivedImage {
  readonly applied: AppliedMark;
  /**
   * Makes the image the store that the next `openRevisionStore` opens. What the old one is given after this is
   * lost: the caller closes it and opens anew.
   */
  install(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/**
 * Writes an image durably to a database of its own in `directory` and verifies all of it. Rejects with StoreError
 * DataLoss, and leaves nothing, when the stream is cut or damaged. To be called while no `openRevisionStore` of
 * the same directory is under way, as that clears away what is not in use; `openInstalledStore` does not.
 */
export async function receiveImage(
  directory: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<ReceivedImage> {
  await makeStoreDirectory(directory);
  const incoming = await makeIncoming(directory);
  const remove = () => rm(incoming.path, { recursive: true, force: true });
  const reader = new ImageReader(chunks);
  let mark: StoreMark;
  try {
    mark = await writeDatabase(incoming.path, reader);
    await verifyDatabase(incoming.path, mark);
  } catch (error) {
    await reader.stop();
    await remove();
    throw error;
  }
  let state: "received" | "installed" | "discarded" = "received";
  return {
    applied: mark.applied,
    async install() {
      assert(state === "received", "an image is installed once");
      state = "installed";
      await activateIncoming(directory, incoming);
    },
    async discard() {
      assert(state !== "installed", "an installed image is the store");
      state = "discarded";
      await remove();
    },
  };
}

/** Every batch is synced, for the reason that leveldb/mark.ts gives; the mark comes with the last. */
async function writeDatabase(path: string, reader: ImageReader): Promise<StoreMark> {
  const mark = await reader.readMark();
  const ordered = await openClassicLevelStore(path, { create: true });
  try {
    await writeRecords(ordered, reader);
    await ordered.batch([{ key: markKey, value: encodeMark(mark) }], { sync: true });
  } finally {
    await ordered.close();
  }
  return mark;
}

async function writeRecords(ordered: OrderedStore, reader: ImageReader): Promise<void> {
  let operations: StoreOperation[] = [];
  let bytes = 0;
  for await (const [key, value] of reader.records()) {
    operations.push({ key, value });
    bytes += key.length + value.length;
    if (bytes < limits.storeBatchBytesMax) continue;
    await ordered.batch(operations, { sync: true });
    operations = [];
    bytes = 0;
  }
  if (operations.length > 0) await ordered.batch(operations, { sync: true });
}

/** Opens what was written as a start would: LevelDB can read it, and it fits its mark. */
async function verifyDatabase(path: string, mark: StoreMark): Promise<void> {
  const ordered = await openClassicLevelStore(path, { create: false });
  try {
    const content = await DurableContent.open({ blockCacheBytesMax: 0 }, { ordered });
    if (!content.mark.content.equals(mark.content)) throw refusedImage("it was not written as it came");
  } finally {
    await ordered.close();
  }
}
