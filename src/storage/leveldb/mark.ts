/**
 * The mark: one record, written in every batch, that says what the store holds after that batch. It names the
 * applied index and term that the content is the result of, and sums up the content: how many blocks and
 * state records there are, and a digest over all of them.
 *
 * Why: LevelDB 1.20 skips a damaged record of its own log when it opens, so a batch can vanish from the middle
 * while later ones survive; and it ends an iteration silently at a damaged table. With the digest that is seen at
 * start, before anything is served: the content must be exactly that which the newest mark was written with. This
 * is stronger than a chain of batches, each naming the one before it: it also sees what was lost from the table
 * files of batches long ago, and it does not mind a lost batch whose every effect was replaced later.
 *
 * A damaged *last* batch makes an older mark the newest one, which its content then fits. That is not seen here but by
 * whoever knows how far the log was cut (the log is cut only behind a synced batch): a mark below the first log
 * entry is damage as well.
 *
 * A power cut must not look like damage: each batch has to be on stable storage before the next one is
 * written, as the file system may keep a later page of LevelDB's log and lose an earlier one. Whoever flushes with
 * `sync` false gives that up: after a power cut (not after a crash of the process) such a store may be refused.
 *
 * The digest is a sum over records, so that a batch updates it by what it adds and removes: of a block, over its
 * key, which contains the block's checksum; of a state record, the stored checksum of its key and value. Two
 * sums of 32 bits: of the checksums, and of the checksums after a mixing step (murmur3's finalizer).
 */
import { assert } from "../../base/assert.js";
import { allocateBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import type { AppliedMark } from "../../ports/revision-store.js";

/** What a store holds, summed up; changes with every record added or removed. */
export class ContentSummary {
  constructor(
    private blocks = 0,
    private states = 0,
    private plainSum = 0,
    private mixedSum = 0,
  ) {}

  copy(): ContentSummary {
    return new ContentSummary(this.blocks, this.states, this.plainSum, this.mixedSum);
  }

  addBlock(encodedKey: Uint8Array): void {
    this.blocks++;
    this.add(crc32c(encodedKey));
  }

  removeBlock(encodedKey: Uint8Array): void {
    this.blocks--;
    this.remove(crc32c(encodedKey));
  }

  addState(checksum: number): void {
    this.states++;
    this.add(checksum);
  }

  removeState(checksum: number): void {
    this.states--;
    this.remove(checksum);
  }

  get isEmpty(): boolean {
    return this.blocks === 0 && this.states === 0;
  }

  equals(other: ContentSummary): boolean {
    const { blocks, states, plainSum, mixedSum } = other;
    const counts = this.blocks === blocks && this.states === states;
    return counts && this.plainSum === plainSum && this.mixedSum === mixedSum;
  }

  /** For error texts. */
  toString(): string {
    const digest = [this.plainSum, this.mixedSum].map((sum) => sum.toString(16).padStart(8, "0")).join("");
    return `${this.blocks} blocks and ${this.states} state records with digest ${digest}`;
  }

  write(view: DataView, at: number): void {
    assert(this.blocks >= 0 && this.states >= 0, "a summary counts records");
    writeUint64(view, at, this.blocks);
    writeUint64(view, at + 8, this.states);
    view.setUint32(at + 16, this.plainSum);
    view.setUint32(at + 20, this.mixedSum);
  }

  static read(view: DataView, at: number): ContentSummary {
    return new ContentSummary(
      readUint64(view, at),
      readUint64(view, at + 8),
      view.getUint32(at + 16),
      view.getUint32(at + 20),
    );
  }

  private add(checksum: number): void {
    this.plainSum = (this.plainSum + checksum) >>> 0;
    this.mixedSum = (this.mixedSum + mixed(checksum)) >>> 0;
  }

  private remove(checksum: number): void {
    this.plainSum = (this.plainSum - checksum) >>> 0;
    this.mixedSum = (this.mixedSum - mixed(checksum)) >>> 0;
  }
}

export interface StoreMark {
  readonly applied: AppliedMark;
  /** Batches written since the store was made, for error texts and reading by eye. */
  readonly batches: number;
  readonly content: ContentSummary;
}

const formatVersion = 1;
const markBytes = 56;

/** Big endian: crc32c of the rest, format version, applied index, applied term, batches, summary. */
export function encodeMark(mark: StoreMark): Uint8Array {
  const bytes = allocateBytes(markBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, formatVersion);
  writeUint64(view, 8, mark.applied.index);
  writeUint64(view, 16, mark.applied.term);
  writeUint64(view, 24, mark.batches);
  mark.content.write(view, 32);
  view.setUint32(0, crc32c(bytes, 0, 4));
  return bytes;
}

/** The mark, or why `bytes` is none. */
export function decodeMark(bytes: Uint8Array): StoreMark | string {
  if (bytes.length < 8) return "is cut short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (crc32c(bytes, 0, 4) !== view.getUint32(0)) return "fails its checksum";
  const version = view.getUint32(4);
  if (version !== formatVersion || bytes.length !== markBytes) {
    return `has format ${version}, which this version does not know`;
  }
  return {
    applied: { index: readUint64(view, 8), term: readUint64(view, 16) },
    batches: readUint64(view, 24),
    content: ContentSummary.read(view, 32),
  };
}

function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value >>> 0);
}

function readUint64(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function mixed(checksum: number): number {
  let hash = checksum ^ (checksum >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
