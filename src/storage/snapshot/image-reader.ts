/** The receiving side's parser: chunks of any size in, whole records out, refused unless sound to the last byte. */
import { createHash } from "node:crypto";
import { allocateBytes, concatBytes, equalBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { ContentSummary, decodeMark, type StoreMark } from "../leveldb/mark.js";
import type { StoreEntry } from "../leveldb/ordered-store.js";
import {
  checkRecord,
  digestBytes,
  imageMagic,
  imageVersion,
  markBytesMax,
  readUint32,
  trailerSign,
} from "./image-format.js";

/** The error for an image that is not whole; its sender may try again. */
export function refusedImage(what: string): StoreError {
  return new StoreError({ code: "Other", status: "DataLoss", text: `store image refused: ${what}` });
}

export class ImageReader {
  private readonly source: ByteSource;
  private mark: StoreMark | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.source = new ByteSource(chunks);
  }

  /** To be called first. */
  async readMark(): Promise<StoreMark> {
    const { source } = this;
    if (!equalBytes(await source.take(imageMagic.length), imageMagic))
      throw refusedImage("it is no store image");
    const version = await this.takeUint32();
    if (version !== imageVersion) throw refusedImage(`this version does not know format ${version}`);
    const length = await this.takeUint32();
    if (length > markBytesMax) throw refusedImage("its header is damaged");
    const mark = decodeMark(await source.take(length));
    if (typeof mark === "string") throw refusedImage(`its mark ${mark}`);
    this.mark = mark;
    return mark;
  }

  /** All records, each verified. Ends normally only when the stream was whole and fits its mark. */
  async *records(): AsyncGenerator<StoreEntry> {
    const { source } = this;
    const content = new ContentSummary();
    let count = 0;
    for (;;) {
      const keyBytes = await this.takeUint32();
      if (keyBytes === trailerSign) break;
      const valueBytes = await this.takeUint32();
      if (
        keyBytes === 0 ||
        keyBytes > limits.stateKeyBytesMax + 1 ||
        valueBytes > limits.imageRecordBytesMax
      ) {
        throw refusedImage(`record ${count} has a length out of bounds`);
      }
      const key = await source.take(keyBytes);
      const value = await source.take(valueBytes);
      const wrong = checkRecord(key, value, content);
      if (wrong !== undefined) throw refusedImage(wrong);
      count++;
      yield [key, value];
    }
    const told = (await this.takeUint32()) * 2 ** 32 + (await this.takeUint32());
    if (told !== count) throw refusedImage(`it holds ${count} records in place of ${told}`);
    await source.verifyDigest();
    if (this.mark === undefined || !this.mark.content.equals(content)) {
      throw refusedImage(`it holds ${content} in place of ${this.mark?.content}`);
    }
  }

  /** Lets the sender know that no more is wanted. */
  stop(): Promise<void> {
    return this.source.stop();
  }

  private async takeUint32(): Promise<number> {
    return readUint32(await this.source.take(4), 0);
  }
}

/** Exact counts of bytes out of chunks of any size; digests what was taken. */
class ByteSource {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly hash = createHash("sha256");
  private chunk: Uint8Array = allocateBytes(0);
  private at = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `count` bytes; they may share memory with a chunk. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.takeUnhashed(count);
    this.hash.update(bytes);
    return bytes;
  }

  /** The digest comes next, and nothing after it. */
  async verifyDigest(): Promise<void> {
    const expected = this.hash.digest();
    const told = await this.takeUnhashed(digestBytes);
    if (!equalBytes(expected, told)) throw refusedImage("it fails its digest");
    if (await this.advance()) throw refusedImage("bytes follow its end");
  }

  async stop(): Promise<void> {
    await this.chunks.return?.();
  }

  private async takeUnhashed(count: number): Promise<Uint8Array> {
    const within = this.chunk.length - this.at >= count;
    if (within) {
      this.at += count;
      return this.chunk.subarray(this.at - count, this.at);
    }
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.at === this.chunk.length && !(await this.advance())) throw refusedImage("it ends too early");
      const part = this.chunk.subarray(this.at, Math.min(this.at + missing, this.chunk.length));
      this.at += part.length;
      missing -= part.length;
      parts.push(part);
    }
    return concatBytes(parts);
  }

  /** On to the next chunk with bytes in it; false at the end. */
  private async advance(): Promise<boolean> {
    while (this.at === this.chunk.length) {
      const next = await this.chunks.next();
      if (next.done === true) return false;
      this.chunk = next.value;
      this.at = 0;
    }
    return true;
  }
}
