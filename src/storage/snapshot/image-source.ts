/** The sending side: the durable store at one moment as an image (image-format.ts). */
import { createHash, type Hash } from "node:crypto";
import { allocateBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import type { StoreImage } from "../../ports/revision-store.js";
import { damagedStore } from "../leveldb/damage.js";
import type { DurableContent } from "../leveldb/durable-content.js";
import { recordKinds, startOfKind } from "../leveldb/keys.js";
import { ContentSummary, encodeMark, type StoreMark } from "../leveldb/mark.js";
import type { OrderedStore, StoreView } from "../leveldb/ordered-store.js";
import {
  checkRecord,
  digestBytes,
  encodeImageHeader,
  encodeRecordLengths,
  encodeTrailerCount,
  imageMagic,
} from "./image-format.js";

/** Blocks, then state; the mark travels in the header. */
const imageRange = { from: startOfKind(recordKinds.block), to: startOfKind(recordKinds.mark) };

/** No batch may be under way at the call; later ones do not change the image. */
export function openStoreImage(content: DurableContent): StoreImage {
  return new LevelImage(
    content.ordered,
    content.ordered.view(),
    content.mark,
    content.blocks.index.sizeBytes,
  );
}

class LevelImage implements StoreImage {
  private bytes: number;

  constructor(
    private readonly ordered: OrderedStore,
    private readonly view: StoreView,
    private readonly mark: StoreMark,
    blockBytes: number,
  ) {
    this.bytes = blockBytes + imageMagic.length + digestBytes;
  }

  get applied() {
    return this.mark.applied;
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  /** DamageError, before the trailer was given out, when the store does not hold what its mark says. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const writer = new ChunkWriter();
    const content = new ContentSummary();
    let records = 0;
    yield* writer.write(encodeImageHeader(encodeMark(this.mark)));
    for await (const slice of this.ordered.entries(imageRange, this.view)) {
      for (const [key, value] of slice) {
        const wrong = checkRecord(key, value, content);
        if (wrong !== undefined) throw damagedStore(this.ordered.location, wrong);
        records++;
        yield* writer.write(encodeRecordLengths(key.length, value.length));
        yield* writer.write(key);
        yield* writer.write(value);
      }
    }
    if (!content.equals(this.mark.content)) {
      throw damagedStore(
        this.ordered.location,
        `a pass over it found ${content} in place of ${this.mark.content}`,
      );
    }
    yield* writer.write(encodeTrailerCount(records));
    yield* writer.finish();
    this.bytes = writer.totalBytes;
  }

  close(): Promise<void> {
    return this.view.close();
  }
}

/** Cuts what is written into chunks of limits.snapshotChunkBytes and digests them. */
class ChunkWriter {
  totalBytes = 0;
  private readonly hash: Hash = createHash("sha256");
  private chunk = allocateBytes(limits.snapshotChunkBytes);
  private used = 0;

  *write(bytes: Uint8Array): Generator<Uint8Array> {
    let from = 0;
    while (from < bytes.length) {
      const count = Math.min(bytes.length - from, this.chunk.length - this.used);
      this.chunk.set(bytes.subarray(from, from + count), this.used);
      this.used += count;
      from += count;
      if (this.used === this.chunk.length) yield this.takeChunk();
    }
  }

  *finish(): Generator<Uint8Array> {
    if (this.used > 0) yield this.takeChunk();
    const digest = this.hash.digest();
    this.totalBytes += digest.length;
    yield digest;
  }

  /** Whoever gets a chunk may keep it. */
  private takeChunk(): Uint8Array {
    const chunk = this.chunk.subarray(0, this.used);
    this.hash.update(chunk);
    this.totalBytes += chunk.length;
    this.chunk = allocateBytes(limits.snapshotChunkBytes);
    this.used = 0;
    return chunk;
  }
}
