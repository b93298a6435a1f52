/**
 * Puts header blocks together from HEADERS and CONTINUATION frames (RFC 9113, section 4.3) and decodes them.
 *
 * Clients repeat themselves: a block that is made of references to the tables alone, with the dynamic table
 * unchanged since, means the same as the last time, so its parsed form is kept by its bytes.
 */
import { limits } from "../../base/limits.js";
import { HpackDecoder } from "./hpack-decoder.js";
import type { HeaderField } from "./hpack-table.js";
import { latin1 } from "./latin1.js";
import { ConnectionError, ErrorCode } from "./protocol.js";

/** A block that is whole. */
export interface HeaderBlockResult<Parsed> {
  readonly streamId: number;
  readonly endStream: boolean;
  /** Fault of the HEADERS frame around the block (a self-dependency), which must not stop the decoding. */
  readonly fault: string | undefined;
  /** What `parse` made of the fields; undefined when the list is too large. */
  readonly parsed: Parsed | undefined;
}

interface OpenBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly fault: string | undefined;
  readonly fragments: Buffer[];
  bytes: number;
  readonly sinceMs: number;
}

export class HeaderBlocks<Parsed> {
  private readonly decoder = new HpackDecoder({ listBytesMax: limits.headerListBytesMax });
  private readonly cache = new Map<string, Parsed>();
  private cacheGeneration = 0;
  private open: OpenBlock | undefined;

  constructor(private readonly parse: (fields: readonly HeaderField[]) => Parsed) {}

  /** The stream whose block is not complete: no other frame may come in between (section 6.10). */
  get openStreamId(): number | undefined {
    return this.open?.streamId;
  }

  /** Since when a block is incomplete (performance.now); undefined when none is. */
  get openSinceMs(): number | undefined {
    return this.open?.sinceMs;
  }

  /** The fragment of a HEADERS frame with END_HEADERS: the common case. */
  whole(bytes: Buffer, start: number, end: number): Parsed | undefined {
    if (end - start > limits.headerBlockCachedBytesMax) return this.decode(bytes, start, end);
    const { table } = this.decoder;
    if (this.cacheGeneration !== table.generation) {
      this.cacheGeneration = table.generation;
      if (this.cache.size > 0) this.cache.clear();
    }
    if (this.cache.size > 0) {
      const known = this.cache.get(latin1(bytes, start, end));
      if (known !== undefined) return known;
    }
    const parsed = this.decode(bytes, start, end);
    if (parsed !== undefined && table.generation === this.cacheGeneration) {
      if (this.cache.size >= limits.headerBlocksCached) this.cache.clear();
      this.cache.set(latin1(bytes, start, end), parsed);
    }
    return parsed;
  }

  /** The fragment of a HEADERS frame without END_HEADERS. */
  begin(streamId: number, endStream: boolean, fault: string | undefined, fragment: Buffer): void {
    this.open = {
      streamId,
      endStream,
      fault,
      fragments: [Buffer.from(fragment)],
      bytes: fragment.length,
      sinceMs: performance.now(),
    };
  }

  /** The fragment of a CONTINUATION frame of the open block; the result once END_HEADERS is set. */
  continue(fragment: Buffer, endHeaders: boolean): HeaderBlockResult<Parsed> | undefined {
    const open = this.open!;
    open.bytes += fragment.length;
    open.fragments.push(Buffer.from(fragment));
    if (open.bytes > limits.headerBlockBytesMax || open.fragments.length > limits.continuationFramesMax) {
      throw new ConnectionError(ErrorCode.EnhanceYourCalm, "a header block out of bounds");
    }
    if (!endHeaders) return undefined;
    this.open = undefined;
    const { streamId, endStream, fault } = open;
    const block = Buffer.concat(open.fragments);
    return { streamId, endStream, fault, parsed: this.decode(block, 0, block.length) };
  }

  private decode(bytes: Buffer, start: number, end: number): Parsed | undefined {
    const decoded = this.decoder.decode(bytes, start, end);
    return decoded.tooLarge ? undefined : this.parse(decoded.fields);
  }
}
