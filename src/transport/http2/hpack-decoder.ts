/** Decodes header blocks (RFC 7541, sections 3 and 6). One per connection and direction: it has the dynamic table. */

import { DynamicTable, fieldBytes, type HeaderField } from "./hpack-table.js";
import { decodeHuffman } from "./huffman.js";
import { latin1 } from "./latin1.js";
import { ConnectionError, defaultHeaderTableBytes, ErrorCode } from "./protocol.js";

export interface HpackDecoderOptions {
  /** Decoded size (section 4.1's measure) above which a list is reported as too large, bytes. */
  readonly listBytesMax: number;
}

export interface DecodedHeaders {
  /** In the order of the block. Not complete when `tooLarge`. */
  readonly fields: readonly HeaderField[];
  /** The list exceeds the bound. It was decoded to the end all the same, so that the dynamic table stays right. */
  readonly tooLarge: boolean;
}

/** A prefix integer may not exceed this; no length or index of ours comes near. */
const integerMax = 0x0fff_ffff;
/** RFC 9113, section 8.2.1: lower case, no control characters, no space, and a colon only in front. */
const goodName = /^:?[!-9;-@[-~]+$/;
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/;

export class HpackDecoder {
  readonly table = new DynamicTable(defaultHeaderTableBytes);
  private at = 0;
  private end = 0;
  private bytes: Buffer = Buffer.alloc(0);

  constructor(private readonly options: HpackDecoderOptions) {}

  /** Throws ConnectionError COMPRESSION_ERROR: after it the table can not be trusted. */
  decode(bytes: Buffer, start: number, end: number): DecodedHeaders {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    let sizeUpdateAllowed = true;
    while (this.at < this.end) {
      const first = bytes[this.at]!;
      if ((first & 0xe0) === 0x20) {
        if (!sizeUpdateAllowed) throw compressionError("a table size update after a field");
        this.resizeTable();
        continue;
      }
      sizeUpdateAllowed = false;
      const field = first >= 0x80 ? this.entry(this.integer(7)) : this.literal(first);
      listBytes += fieldBytes(field);
      if (listBytes <= this.options.listBytesMax) fields.push(field);
    }
    return { fields, tooLarge: listBytes > this.options.listBytesMax };
  }

  /** Section 6.2: with incremental indexing (01), without indexing (0000), never indexed (0001). */
  private literal(first: number): HeaderField {
    const indexed = first >= 0x40;
    const nameIndex = this.integer(indexed ? 6 : 4);
    let name: string;
    let malformed: boolean;
    if (nameIndex === 0) {
      name = this.text();
      malformed = !goodName.test(name);
    } else {
      const named = this.entry(nameIndex);
      name = named.name;
      // An entry whose value alone is bad is rare; its name is then judged bad as well, to the same effect.
      malformed = named.malformed;
    }
    const value = this.text();
    const field: HeaderField = { name, value, malformed: malformed || badValue.test(value) };
    if (indexed) this.table.insert(field);
    return field;
  }

  private resizeTable(): void {
    const bound = this.integer(5);
    if (bound > this.table.capacityBytes) throw compressionError(`a table of ${bound} bytes`);
    this.table.setBound(bound);
  }

  private entry(index: number): HeaderField {
    const field = this.table.at(index);
    if (field === undefined) throw compressionError(`no entry ${index}`);
    return field;
  }

  /** Section 5.1. */
  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      if (value > integerMax) break;
    }
    throw compressionError("an integer out of bounds");
  }

  /** Section 5.2. */
  private text(): string {
    const huffman = this.at < this.end && this.bytes[this.at]! >= 0x80;
    const length = this.integer(7);
    const start = this.at;
    const end = start + length;
    if (end > this.end) throw compressionError("a string past the end of its block");
    this.at = end;
    if (!huffman) return latin1(this.bytes, start, end);
    const text = decodeHuffman(this.bytes, start, end);
    if (text === undefined) throw compressionError("a bad Huffman string");
    return text;
  }

  private byte(): number {
    if (this.at >= this.end) throw compressionError("a block that ends too early");
    return this.bytes[this.at++]!;
  }
}

function compressionError(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.CompressionError, `header block with ${what}`);
}
