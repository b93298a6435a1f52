/**
 * The receiving side of a store image on the simulated disk: what storage/snapshot/receive-image.ts does with
 * files, with the real reader of the format, which verifies every byte.
 */

import type { ReceivedImage } from "../../src/ports/snapshot-store.js";
import { DurableContent } from "../../src/storage/leveldb/durable-content.js";
import { markKey } from "../../src/storage/leveldb/keys.js";
import { encodeMark } from "../../src/storage/leveldb/mark.js";
import type { StoreOperation } from "../../src/storage/leveldb/ordered-store.js";
import { ImageReader, refusedImage } from "../../src/storage/snapshot/image-reader.js";
import type { Coverage } from "./coverage.js";
import type { MemberProcess } from "./member-process.js";
import { SimulatedStore } from "./simulated-store.js";

/** Rejects with StoreError DataLoss where the image is not whole. */
export async function receiveImage(
  process: MemberProcess,
  chunks: readonly Uint8Array[],
  deps: { readonly coverage: Coverage },
): Promise<ReceivedImage> {
  const { disk } = process.machine;
  const incoming = new SimulatedStore(disk.mood);
  const ordered = incoming.openFor(process.sleep);
  const reader = new ImageReader(inOrder(chunks));
  const mark = await reader.readMark();
  const operations: StoreOperation[] = [];
  for await (const [key, value] of reader.records())
    operations.push({ key: key.slice(), value: value.slice() });
  await ordered.batch(operations, { sync: true });
  await ordered.batch([{ key: markKey, value: encodeMark(mark) }], { sync: true });
  const content = await DurableContent.open({ blockCacheBytesMax: 0 }, { ordered });
  if (!content.mark.content.equals(mark.content)) throw refusedImage("it was not written as it came");
  return {
    applied: mark.applied,
    async install() {
      // Renamed, and named as the one in use: a crash in between finds either.
      disk.switchingTo = incoming;
      await process.sleep(disk.syncUs());
      process.mayCrash("snapshot/crash while installing", 0.15);
      disk.store = incoming;
      disk.switchingTo = undefined;
      deps.coverage.hit("snapshot/installed");
      await process.sleep(disk.syncUs());
      return process.openStore(incoming);
    },
    async discard() {},
  };
}

async function* inOrder(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}
