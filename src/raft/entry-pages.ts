/**
 * Older entries of the log, packed: a member keeps thousands of them for followers that lag, and each as an object
 * with a payload somewhere would cost three times its bytes, and the collector would move every one of them.
 *
 * Payloads stand one after the other at the beginning of pages of limits.logPageBytes, and three numbers for each, its
 * term, type and end, at the end of the page, the first entry's last. So a page is one piece of memory, which serves
 * the next page when it was dropped; what is read is therefore a copy.
 *
 * Example: pages with room for two; payloads "abc", "defg", "hi" make the pages "abcdefg" (ends 3, 7) and "hi" (ends
 * 2). `dropFirst(1)` leaves the first page where it is and counts from its second entry on.
 */
import { assert } from "../base/assert.js";
import type { Index, Term } from "../base/brand.js";
import { allocateBytes, copyBytes, emptyBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import { pieceAt } from "../base/pieces.js";
import type { Entry, EntryType } from "./types.js";

interface Page {
  /** Position of its first entry, counted from the first that was ever added. */
  readonly first: number;
  count: number;
  readonly bytes: Uint8Array;
  /** The same memory: read from its end, term, type and end of each entry. */
  readonly numbers: Float64Array;
}

const numbersPerEntry = 3;
const entryNumbersBytes = numbersPerEntry * Float64Array.BYTES_PER_ELEMENT;

export class EntryPages {
  private pages: Page[] = [];
  /** Memory of dropped pages. */
  private readonly spare: Uint8Array[] = [];
  /** Positions, counted from the first entry that was ever added. */
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** The term of the entry at a position from 0 to `length` − 1. */
  termAt(position: number): Term {
    const at = this.start + position;
    const page = this.pageOf(at);
    return page.numbers[numbersAt(page, at - page.first)]!;
  }

  /** The entry at a position, in memory of its own; `index` is its index. */
  entryAt(position: number, index: Index): Entry {
    const at = this.start + position;
    const page = this.pageOf(at);
    const slot = at - page.first;
    const from = endOf(page, slot - 1);
    const end = endOf(page, slot);
    const data = from === end ? emptyBytes : copyBytes(page.bytes.subarray(from, end));
    const numbers = numbersAt(page, slot);
    return { term: page.numbers[numbers]!, index, type: page.numbers[numbers + 1] as EntryType, data };
  }

  push({ term, type, data }: Entry): void {
    let page = this.pages.at(-1);
    if (page === undefined || freeBytes(page) < data.length + entryNumbersBytes) {
      const bytes = this.memory(data.length + entryNumbersBytes);
      page = { first: this.end, count: 0, bytes, numbers: new Float64Array(bytes.buffer) };
      this.pages.push(page);
    }
    const used = endOf(page, page.count - 1);
    page.bytes.set(data, used);
    const numbers = numbersAt(page, page.count);
    page.numbers[numbers] = term;
    page.numbers[numbers + 1] = type;
    page.numbers[numbers + 2] = used + data.length;
    page.count++;
    this.end++;
  }

  /** Drops the `count` oldest. */
  dropFirst(count: number): void {
    assert(count <= this.length, "only entries that are here are dropped");
    this.start += count;
    let gone = 0;
    while (gone < this.pages.length && (this.pages[gone + 1]?.first ?? this.end) <= this.start) gone++;
    for (const page of this.pages.splice(0, gone)) this.release(page);
  }

  /** Keeps the `count` oldest. */
  truncate(count: number): void {
    assert(count <= this.length, "only entries that are here are kept");
    this.end = this.start + count;
    for (let page = this.pages.at(-1); page !== undefined; page = this.pages.at(-1)) {
      const kept = Math.max(0, this.end - page.first);
      page.count = Math.min(kept, page.count);
      if (kept > 0) return;
      this.release(page);
      this.pages.pop();
    }
  }

  private pageOf(at: number): Page {
    return this.pages[pieceAt(this.pages, at)]!;
  }

  private memory(bytesMin: number): Uint8Array {
    // Numbers at its end want whole multiples of their size.
    if (bytesMin > limits.logPageBytes) return allocateBytes(Math.ceil(bytesMin / 8) * 8);
    return this.spare.pop() ?? allocateBytes(limits.logPageBytes);
  }

  private release({ bytes }: Page): void {
    if (bytes.length === limits.logPageBytes && this.spare.length < limits.logPagesSpare)
      this.spare.push(bytes);
  }
}

/** Where the numbers of an entry of a page begin. */
function numbersAt({ numbers }: Page, slot: number): number {
  return numbers.length - (slot + 1) * numbersPerEntry;
}

/** Where the payload of an entry ends; 0 before the first. */
function endOf(page: Page, slot: number): number {
  return slot < 0 ? 0 : page.numbers[numbersAt(page, slot) + 2]!;
}

function freeBytes(page: Page): number {
  return page.bytes.length - endOf(page, page.count - 1) - page.count * entryNumbersBytes;
}
