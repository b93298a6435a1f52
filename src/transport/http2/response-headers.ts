/**
 * The header blocks of a good gRPC answer, as short as HPACK allows: `:status 200` is in the static table,
 * `content-type: application/grpc` and `grpc-status: 0` go into the peer's dynamic table with the first answer
 * and are one byte each from then on. Nothing else is ever put there, so their places are known:
 *
 *   after the first head:     62 content-type
 *   after the first trailers: 62 grpc-status, 63 content-type
 *
 * Blocks must be sent in the order in which they were asked for, as the table changes with them.
 */
import { encodeHeaders, encodeIndexedLiteral, encodeTableSize } from "./hpack-encoder.js";
import { defaultHeaderTableBytes } from "./protocol.js";

const contentType = ["content-type", "application/grpc"] as const;
const okStatus = ["grpc-status", "0"] as const;
/** Both entries by section 4.1's measure: 60 and 44 bytes. */
const neededTableBytes = 104;

const plainHead = encodeHeaders([[":status", "200"], contentType]);
const plainTrailers = encodeHeaders([okStatus]);
const status200 = encodeHeaders([[":status", "200"]]);
const firstHead = Buffer.concat([status200, encodeIndexedLiteral(...contentType)]);
const firstTrailers = encodeIndexedLiteral(...okStatus);
const headAt62 = Buffer.concat([status200, Buffer.of(0x80 | 62)]);
const headAt63 = Buffer.concat([status200, Buffer.of(0x80 | 63)]);
const trailersAt62 = Buffer.of(0x80 | 62);

export class ResponseHeaders {
  private headIndexed = false;
  private trailersIndexed = false;
  private tableBytes = defaultHeaderTableBytes;
  /** A size update that the next block must begin with (RFC 7541, section 4.2). */
  private resize: Buffer | undefined;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setTableBytes(bytes: number): void {
    const bound = Math.min(bytes, defaultHeaderTableBytes);
    if (bound === this.tableBytes && this.resize === undefined) return;
    this.tableBytes = bound;
    this.headIndexed = false;
    this.trailersIndexed = false;
    // To nothing first: it empties the peer's table, and ours begins anew.
    this.resize =
      bound === 0 ? encodeTableSize(0) : Buffer.concat([encodeTableSize(0), encodeTableSize(bound)]);
  }

  /** `:status 200, content-type application/grpc` */
  head(): Buffer {
    if (this.resize !== undefined) return this.afterResize(this.headBlock());
    return this.headBlock();
  }

  /** `grpc-status 0` */
  okTrailers(): Buffer {
    if (this.resize !== undefined) return this.afterResize(this.trailersBlock());
    return this.trailersBlock();
  }

  /** Any other block, made by `encodeHeaders`. */
  other(block: Buffer): Buffer {
    return this.resize === undefined ? block : this.afterResize(block);
  }

  private headBlock(): Buffer {
    if (this.headIndexed) return this.trailersIndexed ? headAt63 : headAt62;
    if (this.tableBytes < neededTableBytes || this.trailersIndexed) return plainHead;
    this.headIndexed = true;
    return firstHead;
  }

  private trailersBlock(): Buffer {
    if (this.trailersIndexed) return trailersAt62;
    if (!this.headIndexed) return plainTrailers;
    this.trailersIndexed = true;
    return firstTrailers;
  }

  private afterResize(block: Buffer): Buffer {
    const resize = this.resize!;
    this.resize = undefined;
    return Buffer.concat([resize, block]);
  }
}
